// What the store remembers, for the live page: asked for when somebody looks, and again once a minute.
"use strict";

const past = (() => {
	const REFRESH_MS = 60000;
	const RANGES = ["24h", "7d", "30d"];
	const CHART_RANGE = "24h";
	const CHART_POINTS = 144;
	const CHART_WIDTH = 720;
	const CHART_HEIGHT = 90;
	const answers = new Map(); // path -> {at, body, isAsked}

	// The last answer, or null; asks anew when that is old, and tells onNews when something came.
	function ask(path, onNews) {
		const known = answers.get(path) || { at: 0, body: null, isAsked: false };
		answers.set(path, known);
		if (known.isAsked || document.hidden || Date.now() - known.at < REFRESH_MS) return known.body;
		const token = sessionStorage.getItem("hale.token");
		known.isAsked = true;
		fetch(path, token ? { headers: { Authorization: `Bearer ${token}` } } : {})
			.then((r) => (r.ok ? r.json() : null))
			.catch(() => null)
			.then((body) => {
				known.isAsked = false;
				known.at = Date.now();
				known.body = body;
				onNews();
			});
		return known.body;
	}

	function percent(value) {
		if (typeof value !== "number") return null;
		// 99.996 is not 100.
		const text = value >= 99.995 && value < 100 ? "99.99" : value.toFixed(2);
		return `${text.replace(/\.?0+$/, "")} %`;
	}

	function inWords(of) {
		const parts = RANGES.map((range) => [range, percent(of && of[range])]).filter(([, text]) => text);
		return parts.map(([range, text]) => `${text} in ${range.replace(/(\d+)/, "$1 ")}`).join(" · ");
	}

	function statistics(onNews) {
		return ask("/api/v1/health/statistics", onNews);
	}

	function overall(onNews) {
		const s = statistics(onNews);
		const words = s ? inWords(s.uptime_percent) : "";
		return words && `up ${words}`;
	}

	function uptime(id, onNews) {
		const s = statistics(onNews);
		return s && s.components ? inWords(s.components[id]) : "";
	}

	// Of one component: {label, line, band} with SVG paths, or null while there is nothing to draw.
	function chart(id, took, onNews) {
		const query = new URLSearchParams({ metric: "took_ms", component: id, timeRange: CHART_RANGE, points: CHART_POINTS });
		const body = ask(`/api/v1/health/history?${query}`, onNews);
		const one = body && body.series && body.series[0];
		const full = one ? one.points.filter((p) => p.count > 0) : [];
		if (full.length < 2) return null;
		const from = Date.parse(body.from);
		const span = Date.parse(body.to) - from;
		const top = Math.max(...full.map((p) => p.p95 ?? p.max)) * 1.1 || 1;
		const count = full.reduce((sum, p) => sum + p.count, 0);
		const mean = full.reduce((sum, p) => sum + p.avg * p.count, 0) / count;
		return {
			label: `Response time of ${CHART_RANGE.replace("h", " hours")}: ${took(mean)} on average, ${took(Math.max(...full.map((p) => p.max)))} at most`,
			line: path(one.points, from, span, top, (p) => p.avg),
			band: path(one.points, from, span, top, (p) => p.p95 ?? p.max),
		};
	}

	// A gap in what is stored is a gap in the line.
	function path(points, from, span, top, value) {
		let text = "";
		let isBroken = true;
		for (const p of points) {
			if (!p.count) {
				isBroken = true;
				continue;
			}
			const x = ((Date.parse(p.at) - from) / span) * CHART_WIDTH;
			const y = CHART_HEIGHT - (value(p) / top) * CHART_HEIGHT;
			text += `${isBroken ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
			// A point between two gaps would be nothing to see.
			if (isBroken) text += "h0.1";
			isBroken = false;
		}
		return text;
	}

	function draw(c) {
		const make = (tag, attrs) => {
			const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
			for (const [name, v] of Object.entries(attrs)) node.setAttribute(name, v);
			return node;
		};
		const svg = make("svg", { class: "chart", viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": c.label });
		svg.append(make("path", { class: "chart-band", d: c.band }), make("path", { class: "chart-line", d: c.line }));
		const figure = document.createElement("figure");
		const caption = document.createElement("figcaption");
		caption.textContent = `${c.label}. Line: average, dots: 95th percentile.`;
		figure.append(svg, caption);
		return figure;
	}

	return { overall, uptime, chart, draw };
})();
