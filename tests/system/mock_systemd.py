# SPDX-License-Identifier: Apache-2.0
"""A systemd on a bus: answers what a file of JSON tells, read anew at each question.

{"nginx.service": {"Unit": {"ActiveState": "active", …}, "Service": {"MainPID": 1, …}}}; a unit
"hangs": true is never answered. Run as: mock_systemd.py ADDRESS FILE; prints "ready" when it is."""
import json
import re
import sys

import dbus
import dbus.lowlevel
import dbus.mainloop.glib
from gi.repository import GLib

TYPES = {"NRestarts": dbus.UInt32, "MainPID": dbus.UInt32, "ExecMainStatus": dbus.Int32,
         "MemoryCurrent": dbus.UInt64, "TasksCurrent": dbus.UInt64,
         "ActiveEnterTimestamp": dbus.UInt64, "ActiveEnterTimestampMonotonic": dbus.UInt64,
         "LastTriggerUSec": dbus.UInt64, "NextElapseUSecRealtime": dbus.UInt64,
         "NextElapseUSecMonotonic": dbus.UInt64}
PREFIX = "/org/freedesktop/systemd1/unit/"
# What systemd tells besides, and nobody here asks for: all sorts of types.
NOISE = {"Names": dbus.Array(["a", "b"], signature="s"),
         "ExecStart": dbus.Array([dbus.Struct(("/bin/x", dbus.Array(["x"], signature="s"), True))],
                                 signature="(sasb)"),
         "CanStart": dbus.Boolean(True), "Job": dbus.Struct((dbus.UInt32(0), dbus.ObjectPath("/")))}


def unit_of(path):
    return re.sub("_([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), path[len(PREFIX):])


def answer(message, units):
    """The reply, or None."""
    interface = message.get_args_list()[0].rsplit(".", 1)[1]
    unit = units.get(unit_of(message.get_path()))
    if unit is not None and unit.get("hangs"):
        return None
    if unit is None:
        unit = {"Unit": {"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}}
    if unit.get("error"):
        return dbus.lowlevel.ErrorMessage(message, unit["error"], "so it is told")
    if interface != "Unit" and interface not in unit:
        return dbus.lowlevel.ErrorMessage(
            message, "org.freedesktop.DBus.Error.UnknownInterface", f"Unknown {interface}")
    known = {k: TYPES.get(k, dbus.String)(v) for k, v in unit.get(interface, {}).items()}
    reply = dbus.lowlevel.MethodReturnMessage(message)
    reply.append(dbus.Dictionary({**NOISE, **known}, signature="sv"), signature="a{sv}")
    return reply


def main():
    address, path = sys.argv[1:]
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)

    def on_message(connection, message):
        if message.get_member() != "GetAll":
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        with open(path) as f:
            reply = answer(message, json.load(f))
        if reply is not None:
            connection.send_message(reply)
        return dbus.lowlevel.HANDLER_RESULT_HANDLED

    bus.add_message_filter(on_message)
    bus.request_name("org.freedesktop.systemd1")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
