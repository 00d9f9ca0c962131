"""The proxies that are measured: how each is configured, started on its core, found by process id, and stopped.

A contestant is started afresh for every measurement, so that none carries memory or sessions over. The parent's death ends it.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

BACKEND = "127.0.0.1:9000"
COLLECTOR_PORT = 4318
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    """Something the user should read, without a traceback."""


def on_core(cores):
    libc = ctypes.CDLL(None)

    def before_exec():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        os.sched_setaffinity(0, cores)

    return before_exec


def start_on(cores, command, log, env=None):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=on_core(cores), env=env)


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(1)  # a graceful end, sessions and all, is not what is measured
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(address, process, what, log_path):
    host, port = address.split(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    stop(process)
    with open(log_path, errors="replace") as log:
        tail = log.read()[-2000:]
    raise Trouble(f"{what} did not listen on {address}:\n{tail}")


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
        except (OSError, IndexError):
            continue
    return found


class Running:
    def __init__(self, process, pids, address):
        self.process, self.pids, self.address = process, pids, address

    def rss_kb(self):
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/status") as status:
                total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return total

    def stop(self):
        stop(self.process)


class Contestant:
    name = label = ""
    port = 0
    peer = True          # counts when the best peer is looked for
    forks_worker = False  # the CPU is burnt by a child of the process started

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def missing(self):
        """Why it cannot run here; '' when it can."""
        return ""

    def version(self):
        return ""

    def command(self, folder):
        raise NotImplementedError

    def environment(self):
        return None

    def start(self, folder, core):
        folder = os.path.join(folder, self.name)
        os.makedirs(folder, exist_ok=True)
        log_path = os.path.join(folder, "log")
        with open(log_path, "w") as log:
            process = start_on({core}, self.command(folder), log, self.environment())
        wait_for_port(self.address, process, self.label, log_path)
        pids = children(process.pid) if self.forks_worker else [process.pid]
        return Running(process, pids, self.address)


class Sockeye(Contestant):
    name, label, port, peer = "sockeye", "Sockeye", 8001, False

    def __init__(self, binary, dialect=None):
        self.binary = binary
        self.dialect = dialect
        if dialect:
            self.name, self.label = "sockeye-" + dialect, "Sockeye, dialect " + dialect

    def missing(self):
        return "" if os.access(self.binary, os.X_OK) else f"{self.binary} is not there (build it, or set SOCKEYE_BIN)"

    def version(self):
        return output([self.binary, "--version"]).split("\n")[0].rpartition(" ")[2]

    # Everything on that it does without being asked, and a collector that takes its spans.
    def command(self, folder):
        return [self.binary, "proxy", "--listen", self.address, "--upstream", f"ws://{BACKEND}", "--threads", "1",
                "--metrics", "127.0.0.1:9464", "--otlp", f"http://127.0.0.1:{COLLECTOR_PORT}"] + (["--dialect", self.dialect] if self.dialect else [])

    def environment(self):
        return {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}


class Before(Sockeye):
    """Another build of Sockeye, as a peer."""
    name, label, peer = "before", "Sockeye before", True


NGINX = """worker_processes 1;
worker_rlimit_nofile 20000;
user root;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 32768; }}  # more than descriptors: with less than 1 in 16 free it cuts sessions
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {address};
    location / {{
      proxy_pass http://{backend};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      proxy_set_header Host $host;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
{more}    }}
  }}
}}
"""


class Nginx(Contestant):
    name, label, port, forks_worker = "nginx", "nginx", 8002, True
    more = ""

    def missing(self):
        return "" if shutil.which("nginx") else "nginx is not installed (apt-get install nginx-light)"

    def version(self):
        return output(["nginx", "-v"]).rpartition("/")[2]

    def command(self, folder):
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(folder=folder, address=self.address, backend=BACKEND, more=self.more))
        return ["nginx", "-p", folder, "-e", os.path.join(folder, "error.log"), "-c", path]


class NginxBigBuffers(Nginx):
    name, label, port = "nginx-64k", "nginx, 64 KiB buffers", 8003
    more = "      proxy_buffer_size 64k;\n      proxy_buffers 4 64k;\n      proxy_busy_buffers_size 64k;\n"


HAPROXY = """global
  nbthread 1
  maxconn 9950
defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-request 10s
frontend all
  bind {address}
  default_backend echo
backend echo
  server one {backend}
"""


class Haproxy(Contestant):
    name, label, port = "haproxy", "HAProxy", 8004

    def missing(self):
        return "" if shutil.which("haproxy") else "haproxy is not installed (apt-get install haproxy)"

    def version(self):
        return output(["haproxy", "-v"]).split()[2]

    def command(self, folder):
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(HAPROXY.format(address=self.address, backend=BACKEND))
        return ["haproxy", "-db", "-f", path]


class Floor(Contestant):
    name, label, port, peer = "floor", "bare relay (floor)", 8005, False

    def __init__(self, binary):
        self.binary = binary

    def missing(self):
        return "" if os.access(self.binary, os.X_OK) else f"{self.binary} is not built (-DSOCKEYE_BENCH=ON)"

    def command(self, folder):
        return [self.binary, "--listen", self.address, "--upstream", BACKEND]


def output(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.stdout.strip()
