#!/usr/bin/env python3
"""deploy/prometheus is valid, its alerts fire and stay silent as they should, and the example set-up really runs.

Usage: prometheus.py SOCKEYE_BINARY. Needs Debian's prometheus and prometheus-alertmanager, and Python's own library.
The live part runs sockeye, Prometheus and Alertmanager with the example files (only ports and paths replaced), lets a
client stop reading, and waits for the page's webhook: about a minute, nearly all of it the alert's own 30 seconds.
"""
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "prometheus"


def check(what, *command, cwd=DEPLOY, fails=False):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if (done.returncode != 0) != fails:
        sys.exit(f"{what}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"ok: {what}", flush=True)


def static_checks(scratch):
    check("rules are rules", "promtool", "check", "rules", "rules.yml")
    check("scrape example is a configuration", "promtool", "check", "config", "prometheus.yml")
    check("alerts fire and stay silent as tested", "promtool", "test", "rules", "rules_test.yml")
    check("Alertmanager example is a configuration", "amtool", "check-config", "alertmanager.yml")
    # The rule tests must notice a rule that went wrong: each alert in turn is made unable to fire, or unable to rest.
    rules = (DEPLOY / "rules.yml").read_text()
    for name, before, after in (
        ("a drop is missed", "< 0.7 * (", "< 0.1 * ("),
        ("a quarter counts as a drop", "< 0.7 * (", "< 0.9 * ("),
        ("a vanished fleet is missed", "or 0 * job_route:websocket_connections_active:baseline", ""),
        ("a jump is missed", "> 1.5 * job_route", "> 3 * job_route"),
        ("a small jump counts", ") >= 20", ") >= 0"),
        ("missed pongs are missed", "clamp_min(0.01 *", "clamp_min(10 *"),
        ("any missed pong counts", "job_route:websocket_connections_active:sum, 1)", "0, 0)"),
        ("buffered bytes are missed", "(websocket_buffered_amount_bytes) > 0", "(websocket_buffered_amount_bytes) > 1e9"),
        ("bytes in flight count", "for: 30s", "for: 0s"),
    ):
        if before not in rules:
            sys.exit(f"rules.yml no longer holds {before!r}")
        folder = scratch / "mutant"
        shutil.copytree(DEPLOY, folder)
        (folder / "rules.yml").write_text(rules.replace(before, after))
        check(f"the tests notice when {name}", "promtool", "test", "rules", "rules_test.yml", cwd=folder, fails=True)
        shutil.rmtree(folder)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, question, seconds):
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            answer = question()
            if answer:
                print(f"ok: {what}", flush=True)
                return answer
        except (OSError, ValueError, KeyError, IndexError) as error:
            last = error
        time.sleep(0.2)
    sys.exit(f"{what}: not within {seconds} s ({last})")


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)


class Flood(threading.Thread):
    """A WebSocket server that accepts one upgrade and sends without end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        peer, _ = self.listener.accept()
        while b"\r\n\r\n" not in peer.recv(65536):
            pass
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # RFC 6455 §1.3's example
        frame = b"\x82\x7e\x40\x00" + bytes(0x4000)
        try:
            while True:
                peer.sendall(frame)
        except OSError:
            pass


class Webhook(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Webhook.seen.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def live(binary, scratch):
    flood = Flood()
    hook = http.server.HTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    traffic, metrics, prometheus, alertmanager = (free_port() for _ in range(4))

    (scratch / "sockeye.yaml").write_text(
        f"metrics: {{listen: '127.0.0.1:{metrics}'}}\nthreads: 1\nroutes:\n"
        f"  - name: calls\n    listen: 127.0.0.1:{traffic}\n    upstream: ws://127.0.0.1:{flood.port}\n"
        "    limits: {buffered: 64KiB}\n"
        "    heartbeat: {client: false}\n")  # the client below will not answer, and is to live
    shutil.copy(DEPLOY / "rules.yml", scratch)
    text = (DEPLOY / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:9464", f"127.0.0.1:{metrics}").replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager}")
    (scratch / "prometheus.yml").write_text(text)
    text = (DEPLOY / "alertmanager.yml").read_text()
    (scratch / "alertmanager.yml").write_text(text.replace("127.0.0.1:9095", f"127.0.0.1:{hook.server_port}"))

    alertmanager_binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    commands = (
        [binary, "proxy", "--config", "sockeye.yaml"],
        ["prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={scratch}/tsdb",
         f"--web.listen-address=127.0.0.1:{prometheus}"],
        [alertmanager_binary, "--config.file=alertmanager.yml", f"--storage.path={scratch}/alertmanager",
         f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="],
    )
    running = []
    try:
        for command in commands:
            log = open(scratch / (os.path.basename(command[0]) + ".log"), "wb")
            running.append(subprocess.Popen(command, cwd=scratch, stdout=log, stderr=log))
        until("Prometheus scrapes the proxy",
              lambda: ask(prometheus, "/api/v1/targets")["data"]["activeTargets"][0]["health"] == "up", 60)

        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics") as answer:
            exposition = answer.read()
        done = subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"promtool check metrics:\n{(done.stdout + done.stderr).decode()}")
        print("ok: promtool check metrics is clean", flush=True)
        # Every metric a rule reads is one the proxy serves.
        text = re.sub(r"#.*", "", (DEPLOY / "rules.yml").read_text())
        for name in sorted(set(re.findall(r"\bwebsocket_[a-z_]+\b", text))):
            if f"# TYPE {name} ".encode() not in exposition:
                sys.exit(f"rules.yml reads {name}, which /metrics does not serve")
        print("ok: every metric of the rules is served", flush=True)

        client = socket.create_connection(("127.0.0.1", traffic))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        if not client.recv(1024).startswith(b"HTTP/1.1 101"):
            sys.exit("the proxy did not upgrade")
        until("the alert is pending",
              lambda: any(a["labels"]["alertname"] == "WebSocketBuffered" for a in ask(prometheus, "/api/v1/alerts")["data"]["alerts"]), 30)
        path, body = until("the alert reaches its receiver", lambda: Webhook.seen and Webhook.seen[0], 90)
        if path != "/warn" or body["status"] != "firing" or body["groupLabels"] != {
                "alertname": "WebSocketBuffered", "job": "sockeye", "route": "calls"}:
            sys.exit(f"unexpected notification at {path}: {json.dumps(body)}")
        rules = [r for g in ask(prometheus, "/api/v1/rules")["data"]["groups"] for r in g["rules"]]
        sick = [r["name"] for r in rules if r["health"] != "ok"]
        if sick or len(rules) != 7:
            sys.exit(f"{len(rules)} rules, not healthy: {sick}")
        print("ok: seven rules, all healthy", flush=True)
        client.close()
    except SystemExit:
        for log in sorted(scratch.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
        raise
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main():
    for tool in ("prometheus", "promtool", "amtool"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: apt-get install prometheus prometheus-alertmanager")
    with tempfile.TemporaryDirectory(prefix="sockeye-deploy-") as scratch:
        static_checks(Path(scratch))
        live(os.path.abspath(sys.argv[1]), Path(scratch))


main()
