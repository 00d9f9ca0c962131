"""Turns the measurements into medians, ratios within a round, the verdict on the bar, and a Markdown page."""
import statistics

# CPU per message: at most this times the bare relay, for messages up to 64 KiB, and this times the best peer at every size.
MOST_OF_FLOOR = 1.10
MOST_OF_PEER = 1.10
BAR_SIZE = 65536
MOST_IDLE_KB = 4.0

# CPU per message with a JSON dialect on: at most this times the same with dialects off.
MOST_OF_DIALECT = 1.15

OURS, FLOOR = "sockeye", "floor"
DIALECTS = ["none", "twilio-media-streams"]  # the first is what the others are measured by


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def per_round(runs, names, figure):
    """[{name: value}] by round, for the names that ran in it."""
    rounds = max((len(runs.get(name, [])) for name in names), default=0)
    return [{name: runs[name][i][figure] for name in names if i < len(runs.get(name, [])) and figure in runs[name][i]}
            for i in range(rounds)]


def ratios(runs, names, peers, figure):
    """Ours against the floor and against the best peer, each within its round; None where one of them did not run."""
    table = per_round(runs, names, figure)
    against_floor = [row[OURS] / row[FLOOR] for row in table if OURS in row and FLOOR in row and row[FLOOR] > 0]
    against_peer, best = [], []
    for row in table:
        rivals = {name: row[name] for name in peers if name in row and row[name] > 0}
        if OURS in row and rivals:
            name = min(rivals, key=rivals.get)
            best.append(name)
            against_peer.append(row[OURS] / rivals[name])
    return (spread(against_floor) if against_floor else None, spread(against_peer) if against_peer else None,
            statistics.mode(best) if best else None)


def dialect_ratio(runs, dialect):
    """With the dialect against without, each within its round."""
    table = per_round(runs, DIALECTS, "cpu_us")
    values = [row[dialect] / row[DIALECTS[0]] for row in table if dialect in row and DIALECTS[0] in row]
    return spread(values) if values else None


def judge(results, names, peers):
    """The bar, one line a condition that could be looked at."""
    checks = []

    def check(what, value, limit):
        checks.append({"what": what, "value": round(value, 3), "limit": limit, "holds": value <= limit})

    for scenario in results["scenarios"]:
        floor, peer, best = ratios(scenario["runs"], names, peers, "cpu_us")
        if floor and scenario["size"] <= BAR_SIZE:
            check(f"{scenario['title']}: CPU per message / floor", floor["median"], MOST_OF_FLOOR)
        if peer:
            check(f"{scenario['title']}: CPU per message / best peer ({best})", peer["median"], MOST_OF_PEER)
    for title, runs in results["dialects"].items():
        for dialect in DIALECTS[1:]:
            if ratio := dialect_ratio(runs, dialect):
                check(f"{title}, {dialect}: CPU per message / dialects off", ratio["median"], MOST_OF_DIALECT)
    for stage, runs in results.get("idle", {}).get("kb", {}).items():
        if runs.get(OURS):
            check(f"RSS of an idle session ({past(stage)}), KB", statistics.median(runs[OURS]), MOST_IDLE_KB)
    return checks


def human(size):
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale and size % scale == 0:
            return f"{size // scale} {unit}"
    return f"{size} B"


def past(stage):
    """What an idle session has behind it, from bench_proxy_load's SIZE or SIZExCOUNT."""
    size, _, count = stage.partition("x")
    if size == "0":
        return "just opened"
    return f"then a message of {human(int(size))}" if not count else f"then {count} messages of {human(int(size))}"


def median_and_range(values, digits=2):
    """What one round has no range for."""
    text = f"{values['median']:.{digits}f}"
    return text if len(values["values"]) < 2 else f"{text} ({values['min']:.{digits}f}–{values['max']:.{digits}f})"


def ratio_text(ratio):
    return "–" if ratio is None else median_and_range(ratio)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def figures(results, names, labels, figure, form, part="runs"):
    rows = []
    for scenario in results["scenarios"]:
        row = [scenario["title"]]
        for name in names:
            values = [run[figure] for run in scenario[part].get(name, []) if figure in run]
            row.append(form(spread(values)) if values else "–")
        if any(cell != "–" for cell in row[1:]):
            rows.append(row)
    return table(["load"] + [labels[name] for name in names], rows)


def message_tables(results, names, labels):
    lines = []
    lines += ["## CPU µs per message", "", "Median and range. A message through the proxy counts once: an echo is two.", ""]
    lines += figures(results, names, labels, "cpu_us", median_and_range) + [""]
    lines += ["## Messages per second", "", "The load and the backend share a core and often fill it first.", ""]
    lines += figures(results, names, labels, "messages_per_s", lambda s: f"{s['median']:,.0f}") + [""]
    lines += ["## Round trip at half load, p50 / p99 in ms", "",
              "The same rate for all: half of what the slowest passed in the round. Load and backend share a core: noisy.", ""]
    for figure in ("p50_us", "p99_us"):
        lines += [f"{figure[:3]}:", ""]
        lines += figures(results, names, labels, figure, lambda s: f"{s['median'] / 1000:.2f}", "half") + [""]
    lines += ["CPU µs per message at that rate:", ""]
    lines += figures(results, names, labels, "cpu_us", median_and_range, "half") + [""]
    return lines


def markdown(results):
    names, labels, peers = results["contestants"], results["labels"], results["peers"]
    lines = ["# Sockeye beside other proxies", ""]
    if OURS in names and results["scenarios"]:
        rows = []
        for scenario in results["scenarios"]:
            floor, peer, best = ratios(scenario["runs"], names, peers, "cpu_us")
            paced_floor, paced_peer, _ = ratios(scenario["half"], names, peers, "cpu_us")
            rows.append([scenario["title"], ratio_text(floor), ratio_text(peer), labels[best] if best else "–",
                         ratio_text(paced_floor), ratio_text(paced_peer)])
        lines += ["## CPU per message, as a ratio", "",
                  "Sockeye's CPU time per message over the bare relay's and over the best peer's, each within one round; the median "
                  "of the rounds and their range. Below 1 is cheaper. First with as many messages as each can pass: who is quicker "
                  "then sleeps more often and finds fewer at once, which costs more a message. Then at the same rate for all, half "
                  "of what the slowest passed.", ""]
        lines += table(["load", "÷ floor", "÷ best peer", "best peer", "same rate: ÷ floor", "÷ best peer"], rows) + [""]
    if results.get("verdict"):
        lines += ["## The bar", ""]
        for check in results["verdict"]:
            lines.append(f"- {'holds' if check['holds'] else '**does not hold**'}: {check['what']}: {check['value']:.2f} "
                         f"(at most {check['limit']:.2f})")
        lines.append("")

    if results["scenarios"]:
        lines += message_tables(results, names, labels)
    if results["dialects"]:
        rows = []
        for title, runs in results["dialects"].items():
            each = [median_and_range(spread([run["cpu_us"] for run in runs[dialect]])) for dialect in DIALECTS]
            rows.append([title] + each + [ratio_text(dialect_ratio(runs, DIALECTS[1]))])
        lines += ["## With a dialect", "", "CPU µs per message where none is read, and where each is (media messages of Twilio's form, both ways).",
                  ""]
        lines += table(["load", "dialects off", DIALECTS[1], "ratio"], rows) + [""]
    idle = results.get("idle")
    if idle:
        rows = []
        for stage, runs in idle["kb"].items():
            rows.append([past(stage)] + [f"{statistics.median(runs[name]):.1f}" if runs.get(name) else "–" for name in names])
        lines += [f"## KB of RSS per idle session ({idle['sessions']:,} sessions)", ""]
        lines += table(["session"] + [labels[name] for name in names], rows) + [""]
    handshakes = results.get("handshakes")
    if handshakes:
        rows = []
        for title, figure, form in (("a core's worth, per second", "per_core", ",.0f"), ("CPU µs each", "cpu_us", ".1f"),
                                    ("measured per second", "per_s", ",.0f")):
            rows.append([title] + [format(statistics.median(run[figure] for run in handshakes[name]), form)
                                   if handshakes.get(name) else "–" for name in names])
        lines += ["## Handshakes", "", "Open, upgrade, close.", ""]
        lines += table(["handshakes"] + [labels[name] for name in names], rows) + [""]
    machine = results["machine"]
    lines += ["## Where and how", "",
              f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; "
              + ", ".join(f"{labels[name]} {version}" for name, version in results["versions"].items() if version) + ".", "",
              f"Interleaved rounds: {results['rounds']}; {results['seconds']} s a measurement, proxy alone on core "
              f"{machine['proxy_core']}, load and backend on core {machine['load_core']}, own network namespace, reno."]
    if results["notes"]:
        lines += [""] + [f"- {note}" for note in results["notes"]]
    return "\n".join(lines) + "\n"
