# SPDX-License-Identifier: Apache-2.0
import gzip, os
import benchlib as b

SQL = os.environ.get("ZABBIX_SQL", "/usr/share/zabbix-server-pgsql")
PORT = b.P_PEER + 50


class Zabbix(b.Peer):
    """zabbix_server 6.0 with a private PostgreSQL 15 (both counted): HTTP agent items, put into its
    tables by SQL (no frontend). History is kept as text: the body of each answer."""
    name = "zabbix"
    package = "zabbix-server-pgsql"
    user = "zabbix"
    min_interval = "1 s (item delay 1s)"
    pg = server = None

    def available(self):
        return bool(b.which("zabbix_server")) and os.path.exists(SQL + "/schema.sql.gz")

    def start_checks(self, urls, interval, hook=None, preset="fast"):
        if hook:
            raise NotImplementedError
        self.pg = pg = b.Pg(dict(autovacuum="on", shared_buffers="128MB"), port=b.PORT0 + 3, group=self.group, tag="zabbix-pg")
        pg.psql("create role zabbix login; create database zabbix owner zabbix")
        z = lambda s: pg.psql("\\c zabbix zabbix\n" + s)
        for f in ("schema", "images", "data", "double"):
            z(gzip.open(f"{SQL}/{f}.sql.gz", "rt").read())
        q = ["update hosts set status=1; insert into hosts(hostid,host,name,status) values(900000,'bench','bench',0);"]
        q.append("insert into items(itemid,type,hostid,name,key_,delay,history,trends,status,value_type,timeout,url,status_codes) values " + ",".join(
            f"({900001 + i},19,900000,'c{i}','c{i}','{interval}s','1d','0',0,4,'5s','{u}','200')" for i, u in enumerate(urls)) + ";")
        q.append("insert into item_rtdata(itemid) select itemid from items where hostid=900000;")
        z("\n".join(q))
        c = self.dir / "z.conf"
        c.write_text(f"LogType=file\nLogFile={self.dir}/log\nPidFile={self.dir}/pid\nSocketDir={self.dir}\nListenIP={b.ADDR}\nListenPort={PORT}\n"
                     f"DBHost={pg.dir}\nDBPort={pg.port}\nDBName=zabbix\nDBUser=zabbix\nTimeout=5\nStatsAllowedIP={b.ADDR}\n")
        self.server = self.group.popen([b.which("zabbix_server"), "-f", "-c", c], as_user="zabbix", stderr=open(self.dir / "err", "w"))

    def stop(self):
        if self.group and self.pg:
            if self.server:
                self.server.terminate()
            try:
                self.server and self.server.wait(20)
            except Exception:
                pass
            self.pg.stop()
            self.pg = None
        super().stop()


PEERS = [Zabbix]
