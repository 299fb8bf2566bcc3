// hale's live page: one WebSocket, one state, painted at most once a frame.
"use strict";

const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 15000;
const EVENTS_SHOWN = 40;
const ASK_TOKEN_AFTER_MS = 1500; // a server that needs no token has sent its snapshot by then
const ORDER = { down: 0, critical: 1, degraded: 2, unknown: 3, healthy: 4 };
const PROCESS_TONE = { ready: "healthy", starting: "degraded", stopping: "degraded", backoff: "down", held: "down", stopped: "unknown", waiting: "degraded" };

const $ = (id) => document.getElementById(id);
const state = { doc: null, components: new Map(), processes: new Map(), events: [], staleSince: null, connected: false, seen: null };
const open = new Set();
const rows = { components: new Map(), processes: new Map() };
let socket = null;
let retryMs = RECONNECT_MIN_MS;
let painting = false;

function el(tag, attrs, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attrs || {})) node.setAttribute(name, value);
	node.append(...children.filter((c) => c !== null && c !== undefined));
	return node;
}

function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

function setStatus(node, status) {
	if (node.dataset.status !== status) node.dataset.status = status;
}

// ---- words for numbers ----

function span(ms) {
	const s = Math.max(0, Math.floor(ms / 1000));
	if (s < 60) return `${s} s`;
	if (s < 3600) return `${Math.floor(s / 60)} min`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function ago(text) {
	const at = Date.parse(text);
	return Number.isNaN(at) ? "–" : span(Date.now() - at);
}

function number(value) {
	if (typeof value !== "number") return String(value);
	return Number.isInteger(value) ? value.toLocaleString("en") : value.toLocaleString("en", { maximumFractionDigits: 2 });
}

function took(ms) {
	if (typeof ms !== "number") return "–";
	return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function localTime(text) {
	const at = new Date(text);
	return Number.isNaN(at.getTime()) ? text || "never" : at.toLocaleString();
}

// ---- what came in ----

const handlers = {
	snapshot(data) {
		state.doc = data;
		state.components = new Map((data.components || []).map((c) => [c.id, c]));
		state.processes = new Map((data.processes || []).map((p) => [p.name, p]));
		state.events = [];
		for (const old of data.recent || []) note(old.event, old.data);
		state.staleSince = data.stale ? Date.parse(data.stale_since) || Date.now() : null;
		askToken(false);
	},
	"health:update"(data) {
		if (data.removed) state.components.delete(data.component);
		else if (data.state) state.components.set(data.state.id, data.state);
		if (data.overall && state.doc) {
			state.doc.status = data.overall.status;
			state.doc.score = data.overall.score;
			if (data.overall.transition) state.doc.since = data.at;
		}
		if (data.transition) note("health:update", data);
	},
	"process:update"(data) {
		if (data.removed && data.state) state.processes.delete(data.state.name);
		else if (data.state) state.processes.set(data.state.name, data.state);
		note("process:update", data);
	},
	"event:new"(data) {
		// A pause changes the total without any component having changed.
		if (state.doc && data.details && "monitoring_active" in data.details) Object.assign(state.doc, data.details);
		note("event:new", data);
	},
	stale(data) {
		state.staleSince = data.stale ? state.staleSince || Date.now() : null;
	},
};

// Each makes {tone, subject, text} of a line worth telling, or null.
const stories = {
	"health:update": (d) => ({ tone: d.state.status, subject: d.state.label || d.state.id, text: `${d.previous} → ${d.state.status}${d.state.message ? `: ${d.state.message}` : ""}` }),
	"process:update": (d) => ({ tone: PROCESS_TONE[d.state.state], subject: d.state.name, text: processStory(d) }),
	"alert:update": (d) => ({ tone: d.event === "resolved" ? "healthy" : d.event === "failed" ? "critical" : "degraded", subject: `alert ${d.event}`, text: d.alert ? `${d.alert.component || d.alert.rule}: ${d.alert.message}` : "" }),
	"event:new": (d) => ({ tone: { critical: "critical", warning: "degraded" }[d.severity] || "healthy", subject: d.subject || d.kind, text: d.message || d.kind }),
	"reconcile:new": (d) => ({ tone: d.outcome === "done" ? "healthy" : "degraded", subject: `reconcile ${d.job}`, text: `${d.outcome}: ${d.inserted || 0} inserted, ${d.updated || 0} updated, ${d.closed || 0} closed` }),
	"action:new": (d) => ({ tone: d.outcome === "done" ? "healthy" : "critical", subject: `action ${d.action}`, text: `${d.outcome}${d.message ? `: ${d.message}` : ""}` }),
};

function processStory(d) {
	const exit = d.state.last_exit;
	if (d.event === "exit" && exit) return exitText(exit);
	return d.state.crash_looping ? `${d.event}, keeps crashing` : d.event;
}

function exitText(exit) {
	const how = exit.signal ? `killed by ${exit.signal}` : `exited with ${exit.code}`;
	return `${how} after ${span(exit.uptime_ms || 0)}`;
}

function note(event, data) {
	const tell = stories[event];
	if (!tell || !data) return;
	try {
		state.events.unshift({ at: data.at, ...tell(data) });
	} catch (e) {
		console.warn("unexpected line", event, data, e);
	}
	if (state.events.length > EVENTS_SHOWN) state.events.length = EVENTS_SHOWN;
	state.eventsChanged = true;
}

function onMessage(text) {
	const frame = JSON.parse(text);
	const handle = handlers[frame.event];
	state.seen = Date.now();
	if (handle) handle(frame.data);
	else note(frame.event, frame.data);
	paintSoon();
}

// ---- connection ----

function connect() {
	const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/stream`;
	const ws = new WebSocket(url);
	let asker = 0;
	socket = ws;
	ws.onopen = () => {
		const token = sessionStorage.getItem("hale.token");
		if (token) ws.send(JSON.stringify({ event: "auth", token }));
		else asker = setTimeout(() => askToken(!state.connected), ASK_TOKEN_AFTER_MS);
	};
	ws.onmessage = (m) => {
		clearTimeout(asker);
		state.connected = true;
		retryMs = RECONNECT_MIN_MS;
		onMessage(m.data);
	};
	ws.onclose = (close) => {
		clearTimeout(asker);
		if (socket !== ws) return;
		socket = null;
		state.connected = false;
		paintSoon();
		if (close.code === 1008) {
			sessionStorage.removeItem("hale.token");
			askToken(true);
			return;
		}
		setTimeout(() => socket || connect(), retryMs * (0.8 + 0.4 * Math.random()));
		retryMs = Math.min(retryMs * 2, RECONNECT_MAX_MS);
	};
}

function askToken(isNeeded) {
	if (state.connected && isNeeded) return;
	const form = $("token-form");
	if (form.hidden === !isNeeded) return;
	form.hidden = !isNeeded;
	if (isNeeded) $("token").focus();
}

$("token-form").addEventListener("submit", (e) => {
	e.preventDefault();
	sessionStorage.setItem("hale.token", $("token").value.trim());
	$("token").value = "";
	const old = socket;
	socket = null;
	if (old) old.close();
	connect();
});

// ---- painting ----

function paintSoon() {
	if (painting) return;
	painting = true;
	requestAnimationFrame(() => {
		painting = false;
		paint();
	});
}

function paintLink() {
	const link = $("link");
	link.dataset.state = state.connected ? (state.staleSince ? "lost" : "live") : state.doc ? "lost" : "";
	setText($("link-text"), state.connected ? (state.staleSince ? "stale" : "live") : state.doc ? "reconnecting" : "connecting");
	const banner = $("banner");
	const since = !state.connected && state.doc ? state.seen : state.staleSince;
	banner.hidden = !since;
	document.body.classList.toggle("is-old", Boolean(since));
	const pause = state.doc && state.doc.monitoring_active === false;
	if (pause && !since) {
		const m = state.doc.monitoring || {};
		banner.hidden = false;
		setText(banner, `Monitoring is paused${m.since ? ` since ${localTime(m.since)}` : ""}${m.until ? ` until ${localTime(m.until)}` : ""}${m.reason ? `: ${m.reason}` : ""}. Everything is shown as it was then.`);
	}
	if (since) {
		const who = state.connected ? "haled does not answer" : "No connection to hale";
		setText(banner, `${who}: stale since ${new Date(since).toLocaleTimeString()} (${span(Date.now() - since)} ago). Trying again.`);
	}
}

function paintHero() {
	const doc = state.doc;
	if (!doc) return;
	const status = state.staleSince ? "unknown" : doc.status;
	setStatus($("hero"), status);
	setText($("overall"), doc.monitoring_active === false && !state.staleSince ? "Paused" : status === "healthy" ? "All healthy" : status);
	setText($("overall-since"), doc.since ? `for ${ago(doc.since)}` : "");
	setText($("overall-past"), past.overall(paintSoon));
	setText($("where"), doc.node || "");
	setText($("version"), doc.version ? `hale ${doc.version}` : "");
	$("score-box").hidden = typeof doc.score !== "number";
	if (typeof doc.score === "number") setText($("score"), doc.score.toFixed(1));
	const title = `${status === "healthy" ? "✓" : "!"} ${status} · ${doc.node || "hale"}`;
	if (document.title !== title) document.title = title;
	paintCounts();
}

function paintCounts() {
	const n = { down: 0, critical: 0, degraded: 0, unknown: 0, healthy: 0 };
	for (const c of state.components.values()) if (c.enabled !== false && c.status in n) n[c.status]++;
	const key = JSON.stringify(n);
	const box = $("counts");
	if (box.dataset.key === key) return;
	box.dataset.key = key;
	box.replaceChildren(...Object.entries(n).filter(([s, k]) => k || s === "healthy")
		.map(([s, k]) => el("div", { "data-status": s }, el("dt", {}, s), el("dd", {}, String(k)))));
}

function makeRow(key, columns) {
	const more = el("tr", { class: "more", id: `more-${key}` }, el("td", { colspan: String(columns) }));
	const button = el("button", { class: "title", type: "button", "aria-expanded": "false", "aria-controls": more.id });
	const name = el("span", {});
	const sub = el("span", { class: "sub" });
	button.append(name);
	const word = el("span", { class: "state" });
	const cells = [el("td", {}, word), el("td", {}, button, sub)];
	for (let i = 2; i < columns; i++) cells.push(el("td", {}));
	const row = el("tr", { class: "row" }, ...cells);
	button.addEventListener("click", () => {
		if (!open.delete(key)) open.add(key);
		paintSoon();
	});
	return { row, more, button, name, sub, word, cells };
}

function paintMore(r, key, facts) {
	const isOpen = open.has(key);
	r.button.setAttribute("aria-expanded", String(isOpen));
	r.more.hidden = !isOpen;
	if (!isOpen) return;
	const parts = facts();
	const text = JSON.stringify(parts);
	if (r.shown === text) return;
	r.shown = text;
	const list = el("dl", { class: "facts" });
	for (const [name, value] of parts.facts) list.append(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
	r.more.firstChild.replaceChildren(list, ...(parts.chart ? [past.draw(parts.chart)] : []), ...(parts.tail ? [el("pre", { class: "tail" }, parts.tail)] : []));
}

function componentFacts(c) {
	const facts = [["id", c.id], ["kind", c.kind || "–"], ["reason", c.reason || "–"], ["every", c.interval_ms ? span(c.interval_ms) : "–"], ["last success", c.last_success ? localTime(c.last_success) : "never"], ["failures in a row", String(c.consecutive_failures ?? 0)]];
	const uptime = past.uptime(c.id, paintSoon);
	if (uptime) facts.push(["uptime", uptime]);
	if (c.last_error) facts.push(["last trouble", c.last_error]);
	if (c.blocked_by) facts.push(["waits for", c.blocked_by]);
	if (c.depends_on && c.depends_on.length) facts.push(["depends on", c.depends_on.join(", ")]);
	for (const [name, value] of Object.entries(c.metrics || {})) facts.push([name, number(value)]);
	return { facts, chart: isOwn(c) ? null : past.chart(c.id, took, paintSoon) };
}

function processFacts(p) {
	const facts = [["program", p.program || "–"], ["pid", String(p.pid ?? "–")], ["generation", String(p.generation ?? "–")]];
	if (p.next_start) facts.push(["next start", localTime(p.next_start)]);
	if (p.last_exit) facts.push(["last exit", `${localTime(p.last_exit.at)}: ${exitText(p.last_exit)}`]);
	const lines = p.last_exit && p.last_exit.last_lines;
	return { facts, tail: lines && lines.length ? lines.join("\n") : "" };
}

// What haled itself judges: processes, programs, its configuration. There is nothing to disable or to time.
function isOwn(c) {
	return c.process === "haled";
}

function fillComponent(r, c) {
	setStatus(r.row, c.status);
	setText(r.word, c.status);
	setText(r.name, c.label || c.id);
	setText(r.sub, c.label && c.label !== c.id ? c.id : "");
	r.cells[2].className = "message";
	setText(r.cells[2], c.enabled === false && c.configured !== false && !isOwn(c) ? "disabled" : c.message || "");
	const times = [isOwn(c) ? "–" : took(c.took_ms), c.since ? ago(c.since) : "–", c.last_check ? `${ago(c.last_check)} ago` : "never"];
	times.forEach((text, i) => {
		const cell = r.cells[3 + i];
		cell.className = "num";
		cell.dataset.label = ["took", "for", "checked"][i];
		setText(cell, text);
	});
	if (c.since) r.cells[4].title = localTime(c.since);
	paintMore(r, `c:${c.id}`, () => componentFacts(c));
}

function fillProcess(r, p) {
	setStatus(r.row, p.finished ? "healthy" : PROCESS_TONE[p.state] || "unknown");
	setText(r.word, p.crash_looping ? "crash loop" : p.finished ? "finished" : p.state);
	setText(r.name, p.name);
	setText(r.sub, p.state === "ready" || !p.last_exit ? p.status_text || "" : exitText(p.last_exit));
	r.cells[2].className = r.cells[3].className = "num";
	r.cells[2].dataset.label = "restarts";
	r.cells[3].dataset.label = "for";
	setText(r.cells[2], String(p.restarts ?? 0));
	setText(r.cells[3], p.since ? ago(p.since) : "–");
	paintMore(r, `p:${p.name}`, () => processFacts(p));
}

function paintTable(which, prefix, items, columns, fill) {
	const known = rows[which];
	const body = $(which).tBodies[0];
	const wanted = new Set(items.map(([key]) => key));
	for (const [key, r] of known) {
		if (wanted.has(key)) continue;
		r.row.remove();
		r.more.remove();
		known.delete(key);
	}
	let at = body.firstChild;
	for (const [key, item] of items) {
		let r = known.get(key);
		if (!r) known.set(key, (r = makeRow(prefix + key, columns)));
		fill(r, item);
		// Moved only when out of place, so that focus and reading position stay.
		if (at === r.row) at = r.more.nextSibling;
		else {
			body.insertBefore(r.row, at);
			body.insertBefore(r.more, at);
		}
	}
	$(which).hidden = !items.length;
	$(`${which}-empty`).hidden = Boolean(items.length);
}

function shownComponents() {
	const want = $("filter").value.trim().toLowerCase();
	// hale's own processes have their own table; here only when something is wrong, or asked for.
	const isShown = (c) => want || !c.id.startsWith("hale.") || c.status !== "healthy";
	const items = [...state.components].filter(([id, c]) => isShown(c) && (!want || `${id} ${c.label} ${c.status} ${c.kind}`.toLowerCase().includes(want)));
	return items.map((item, i) => [item, i])
		.sort(([[, a], i], [[, b], j]) => (ORDER[a.status] ?? 3) - (ORDER[b.status] ?? 3) || i - j)
		.map(([item]) => item);
}

function paintEvents() {
	for (const time of $("events").querySelectorAll("time")) setText(time, `${ago(time.dateTime)} ago`);
	if (!state.eventsChanged) return;
	state.eventsChanged = false;
	$("events").replaceChildren(...state.events.map((e) => el("li", { "data-status": e.tone || "unknown" },
		el("span", { class: "text" }, el("b", {}, e.subject), ` ${e.text}`),
		el("time", { datetime: e.at, title: localTime(e.at) }, `${ago(e.at)} ago`))));
	$("events-empty").hidden = state.events.length > 0;
}

function paint() {
	paintLink();
	paintHero();
	if (!state.doc) return;
	const components = shownComponents();
	paintTable("components", "c:", components, 6, fillComponent);
	setText($("components-empty"), state.components.size ? "No component matches the filter." : "No components yet.");
	paintTable("processes", "p:", [...state.processes], 4, fillProcess);
	paintEvents();
}

$("filter").addEventListener("input", paintSoon);
setInterval(paintSoon, 1000);
connect();
