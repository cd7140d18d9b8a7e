#!/usr/bin/env python3
"""Opens a page in headless Chromium and does there what a person does, through the DevTools protocol.

As a program: chromium.py PAGE reads a JSON array of steps from standard input and prints a JSON object: `results`, one
for each step, `requests`, what the page asked for besides itself, and `complaints`, errors of its scripts and console.
A step is [NAME, ARGUMENT...] for the function of that name below.
Source: https://chromedevtools.github.io/devtools-protocol/
"""
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

WAIT = 60  # seconds for one answer


class Browser:
    """A Chromium of its own, with one tab, spoken to through pipes: it opens no port."""

    def __init__(self):
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if not program:
            sys.exit("chromium is missing: scripts/install-deps.sh --test installs it")
        self.home = tempfile.mkdtemp(prefix="regsweep-chromium-")
        read_commands, self.commands = os.pipe()
        self.answers, write_answers = os.pipe()
        argv = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars",
                "--user-data-dir=" + self.home, "--remote-debugging-pipe", "about:blank"]

        def inherit():  # the protocol's fixed places
            high = [os.dup(read_commands), os.dup(write_answers)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.log = tempfile.TemporaryFile()
        environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home, XDG_CACHE_HOME=self.home)
        self.process = subprocess.Popen(argv, preexec_fn=inherit, close_fds=False, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=environment)
        os.close(read_commands)
        os.close(write_answers)
        self.rest, self.last, self.session = b"", 0, None
        self.requests, self.complaints, self.seen = [], [], set()
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.size(1200, 900)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.home, ignore_errors=True)

    def message(self):
        """The next one of the browser."""
        end = time.monotonic() + WAIT
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.answers], [], [], max(0, end - time.monotonic()))
            chunk = os.read(self.answers, 1 << 20) if ready else b""
            if not chunk:
                self.log.seek(0)
                said = self.log.read()[-2000:].decode(errors="replace")
                sys.exit(f"chromium {'does not answer' if not ready else 'has ended'}: {said}")
            self.rest += chunk
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def event(self, got):
        name, of = got.get("method"), got.get("params", {})
        self.seen.add(name)
        if name == "Network.requestWillBeSent":
            url = of["request"]["url"]
            if not url.startswith("file:"):
                self.requests.append(url)
        elif name == "Runtime.exceptionThrown":
            details = of["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif name == "Log.entryAdded":
            self.complaints.append(of["entry"]["text"])
        elif name == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([a.get("value", a.get("description")) for a in of["args"]]))
        elif name == "Page.javascriptDialogOpening":
            self.complaints.append("dialog: " + of["message"])
            self.send("Page.handleJavaScriptDialog", {"accept": True})

    def send(self, method, params):
        self.last += 1
        text = {"id": self.last, "method": method, "params": params}
        if self.session:
            text["sessionId"] = self.session
        data = json.dumps(text).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        return self.last

    def call(self, method, **params):
        number = self.send(method, params)
        while True:
            got = self.message()
            if got.get("id") == number:
                if "error" in got:
                    sys.exit(f"{method}: {got['error']}")
                return got["result"]
            self.event(got)

    # --- steps

    def open(self, page):
        """Loads a file and returns in how many milliseconds it was ready for a person: loaded, run and painted."""
        self.seen.discard("Page.loadEventFired")
        failed = self.call("Page.navigate", url="file://" + os.path.abspath(page)).get("errorText")
        if failed:
            sys.exit(f"{page}: {failed}")
        while "Page.loadEventFired" not in self.seen:
            self.event(self.message())
        return self.eval("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))")

    def eval(self, script):
        """The value of an expression; of a promise, what it comes to."""
        got = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in got:
            return "exception: " + got["exceptionDetails"].get("exception", {}).get("description", "")
        return got["result"].get("value")

    def until(self, script):
        """Waits for an expression to become true."""
        end = time.monotonic() + WAIT
        while not self.eval(script):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def click(self, what):
        """Clicks into the middle of what an expression names."""
        place = self.eval("(() => { const found = " + what + "; if (!found) return null;"
                          " found.scrollIntoView({block: 'center', behavior: 'instant'});"
                          " const r = found.getBoundingClientRect();"
                          " return [r.left + r.width / 2, r.top + r.height / 2]; })()")
        if not isinstance(place, list):
            return f"not there: {what} {place or ''}"
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                      buttons=1 if kind == "mousePressed" else 0, clickCount=0 if kind == "mouseMoved" else 1)
        return True

    def key(self, name, shift=False):
        """Presses one key: Tab, Enter, Escape, ArrowDown, or a character."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, " ": 32}
        text = {"Enter": "\r"}.get(name, name if len(name) == 1 else "")
        of = {"key": name, "windowsVirtualKeyCode": codes.get(name, ord(name[0].upper())), "text": text,
              "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **of)
        self.call("Input.dispatchKeyEvent", type="keyUp", **of)
        return True

    def type(self, text):
        self.call("Input.insertText", text=text)
        return True

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return True

    def dark(self, is_dark):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])
        return True

    def picture(self, file):
        got = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(file, "wb") as out:
            out.write(base64.b64decode(got["data"]))
        return True

    def paper(self, file):
        """Prints the page as PDF; returns how many bytes that has."""
        data = base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])
        if file:
            with open(file, "wb") as out:
                out.write(data)
        return len(data)


def main():
    steps = json.load(sys.stdin)
    with Browser() as browser:
        browser.open(sys.argv[1])
        results = [getattr(browser, name)(*arguments) for name, *arguments in steps]
        print(json.dumps({"results": results, "requests": browser.requests, "complaints": browser.complaints}))


if __name__ == "__main__":
    main()
