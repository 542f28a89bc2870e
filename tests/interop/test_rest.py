"""All REST calls of the web port, by curl."""

import json
import os
import re
import socket
import ssl
import subprocess
import time
import unittest
import urllib.parse

from google.protobuf import json_format

import programs
import stubs
from realm import NAME, RealmTest

VERSIONS = (stubs.V1, stubs.V1ALPHA2)


def body(**fields):
    return ["--json", json.dumps(fields)]


class RestTest(RealmTest):
    def call(self, who, method, path, *arguments, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        answer = self.curl(path, *who, "-X", method, *arguments)
        self.assertEqual(answer.code, 200, answer.body)
        return answer.json()

    def test_the_certificate_is_for_what_this_machine_calls_it(self):
        for host in (NAME, "localhost", "127.0.0.1"):
            command = self.curl_command("/healthz")
            command[-1] = f"https://{host}:{self.web_port}/healthz"
            done = subprocess.run(command, capture_output=True, check=False, timeout=programs.WAIT)
            self.assertEqual(done.returncode, 0, done)
        command[-1] = f"https://[::ffff:127.0.0.1]:{self.web_port}/healthz"
        done = subprocess.run(command, capture_output=True, check=False, timeout=programs.WAIT)
        self.assertEqual(done.returncode, 60, done)  # not the name of it

    def all_calls(self, who, version):
        """A client that has only the public protos reads every answer."""
        lab = f"projects/lab-{version.name}"
        root = f"/{version.name}"

        def read(answer, name):
            kind = version.Project if name == "Project" else getattr(version.projects, name)
            return json_format.ParseDict(answer, kind())

        made = self.call(who, "POST", f"{root}/projects",
                         *body(name=lab, metadata={"labels": {"env": "test"}},
                               multiRegionPolicy={"enabledRegions": ["east"]}))
        self.assertEqual(read(made, "Project").metadata.labels["env"], "test")
        self.assertEqual(self.call(who, "GET", f"{root}/{lab}"), made)
        self.assertEqual(self.call(who, "GET", f"{root}/{lab}", view="NAME"), {"name": lab})
        self.assertEqual(self.call(who, "GET", f"{root}/{lab}", view=1), {"name": lab})
        masked = self.call(who, "GET", f"{root}/{lab}", field_mask="name,metadata.labels")
        self.assertEqual(masked, {"name": lab, "metadata": {"labels": {"env": "test"}}})

        batch = self.call(who, "GET", f"{root}/projects:batchGet",
                          names=[lab, "projects/none"], view="NAME")
        self.assertEqual(batch, {"projects": [{"name": lab}], "missing": ["projects/none"]})
        read(batch, "BatchGetProjectsResponse")

        page = self.call(who, "GET", f"{root}/projects", filter='metadata.labels.env = "test"',
                         page_size=1, orderBy="metadata.create_time desc",
                         include_paging_info="true")
        self.assertEqual([project["name"] for project in page["projects"]], [lab])
        self.assertGreaterEqual(read(page, "ListProjectsResponse").total_results_count, 1)

        self.check_updates(who, root, lab, made)
        self.assertEqual(self.call(who, "DELETE", f"{root}/{lab}"), {})
        self.assert_refused(404, lab, self.curl(f"{root}/{lab}", *who))
        self.assert_refused(404, lab, self.curl(f"{root}/{lab}", *who, "-X", "DELETE"))
        self.assertEqual(self.call(who, "DELETE", f"{root}/{lab}", allow_missing="true"), {})

    def check_updates(self, who, root, lab, made):
        version = {"cas.conditional_state.metadata.resource_version":
                   made["metadata"]["resourceVersion"],
                   "cas.field_mask": "metadata.resource_version"}
        # The path says which project, whatever the body says.
        changed = self.call(who, "PUT", f"{root}/{lab}",
                            *body(name="projects/other", metadata={"labels": {"env": "prod"}}),
                            update_mask="metadata.labels", **version)
        self.assertEqual((changed["name"], changed["metadata"]["labels"]), (lab, {"env": "prod"}))
        again = self.curl(f"{root}/{lab}?update_mask=metadata.labels&"
                          + urllib.parse.urlencode(version), *who, "-X", "PUT", *body())
        self.assert_refused(409, "resource_version", again)
        part = self.call(who, "PATCH", f"{root}/{lab}", *body(metadata={"labels": {"a": "b"}}),
                         updateMask="metadata.labels", **{"responseMask.bodyMask": "metadata.labels"})
        self.assertEqual(part["metadata"]["labels"], {"a": "b"})
        self.assertNotIn("multiRegionPolicy", part)
        whole = self.call(who, "PUT", f"{root}/{lab}-2", *body(multiRegionPolicy={}),
                          allowMissing="true")
        self.assertEqual(whole["name"], f"{lab}-2")
        self.call(who, "DELETE", f"{root}/{lab}-2")

    def test_all_calls_with_a_certificate(self):
        who = self.curl_administrator()
        for version in VERSIONS:
            with self.subTest(version=version.name):
                self.all_calls(who, version)

    def test_all_calls_with_a_token(self):
        self.add_service_account("--role", "projects-admin")
        who = ["-H", "Authorization: Bearer " + self.token()]
        for version in VERSIONS:
            with self.subTest(version=version.name):
                self.all_calls(who, version)

    def test_who_is_nobody_may_nothing(self):
        self.add_service_account("--role", "projects-admin")
        good = "Authorization: Bearer " + self.token()
        rows = (
            ([], "no client certificate"),
            (["-H", "Authorization: Bearer x"], "."),
            (["-H", "Authorization: Basic eDp4"], "expected Bearer"),
            (["-H", "Authorization: Bearer " + self.token(-100)], "expired"),
            (["-H", good, "-H", good], "no client certificate"),
        )
        for who, words in rows:
            with self.subTest(who=who):
                answer = self.curl("/v1/projects/default", *who)
                self.assert_refused(401, words, answer)
                self.assertIn("WWW-Authenticate: Bearer", answer.head)

    def forge(self, subject):
        """A certificate of an authority that calls itself so, and its key."""
        made = [os.path.join(self.directory, name) for name in
                ("forger.key", "forger.crt", "forged.key", "forged.csr", "forged.pem")]
        forger_key, forger, key, request, pem = made
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.openssl("req", "-x509", *ec, "-subj", subject, "-days", "1", "-keyout", forger_key,
                     "-out", forger)
        self.openssl("req", *ec, "-subj", "/CN=alice", "-keyout", key, "-out", request)
        extensions = os.path.join(self.directory, "forged.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
                       "extendedKeyUsage=clientAuth\n"
                       "subjectAltName=URI:spiffe://culvert.internal/project/default/user/alice\n")
        self.openssl("x509", "-req", "-in", request, "-CA", forger, "-CAkey", forger_key,
                     "-CAcreateserial", "-extfile", extensions, "-days", "1", "-out", pem)
        with open(key, encoding="ascii") as file, open(pem, "a", encoding="ascii") as whole:
            whole.write(file.read())
        return pem

    def test_who_forges_a_certificate_is_not_heard(self):
        self.add_service_account("--role", "projects-admin")
        name = self.openssl("x509", "-in", self.ca, "-noout", "-subject", "-nameopt", "compat")
        ours = name.decode().strip().removeprefix("subject=").strip()
        self.assertTrue(ours.startswith("/"), ours)
        good = ["-H", "Authorization: Bearer " + self.token()]
        for subject in ("/CN=other", ours):
            stranger = ["--cert", self.forge(subject)]
            # The certificate counts where there are both.
            for who in (stranger, stranger + good):
                with self.subTest(who=who):
                    command = self.curl_command("/v1/projects/default", *who)
                    done = subprocess.run(command, capture_output=True, check=False,
                                          timeout=programs.WAIT)
                    self.assertIn(done.returncode, (35, 56), done)
                    self.assertIn(b"alert access denied", done.stderr)
                    self.assertEqual(done.stdout, b"")
        self.call(good, "GET", "/v1/projects/default")

    def test_who_has_no_rule_may_nothing_until_there_is_one(self):
        who = ["--cert", os.path.join(self.enrol("bob"), "identity.pem")]
        self.assert_refused(403, "no rule allows user bob", self.curl("/v1/projects/default", *who))
        self.admin("policy", "allow", "--user", "bob", "--role", "projects-viewer")
        self.call(who, "GET", "/v1/projects/default")
        self.assert_refused(403, "delete", self.curl("/v1/projects/other", *who, "-X", "DELETE"))
        self.admin("revoke", "--user", "bob")
        self.assert_refused(401, "revoked", self.curl("/v1/projects/default", *who))

    def test_bad_requests_say_what_is_wrong(self):
        who = self.curl_administrator()
        put = ["-X", "PUT"]
        plain = ["-H", "Content-Type: text/plain", "-d", "{}"]
        rows = (
            ("/v1/projects/default?nothing=1", [], 400, "nothing: there is no such field"),
            ("/v1/projects?page_size=x", [], 400, "page_size: the value does not fit"),
            ("/v1/projects?page_size=1&pageSize=2", [], 400, "pageSize: is there twice"),
            ("/v1/projects?include_paging_info=1", [], 400, "include_paging_info: expected true"),
            ("/v1/projects?filter=%zz", [], 400, "escape"),
            ("/v1/projects?filter=nothing=1", [], 400, "nothing"),
            ("/v1/projects/default?view=SIDE", [], 400, "view: the value does not fit"),
            ("/v1/projects/default?field_mask=nothing", [], 400, "nothing"),
            ("/v1/projects/default?update_mask=x&project=1", put + body(), 400,
             "project: the path or the body says that"),
            ("/v1/projects/default?project.metadata.labels=a", put + body(), 400,
             "project.metadata.labels: the path or the body"),
            ("/v1/projects/default?name=projects/other", [], 400, "name: the path or the body"),
            ("/v1/projects?cas=1", [], 400, "cas: there is no such field"),
            ("/v1/projects/..%2f..", [], 400, "unable to parse"),
            ("/v1/projects/a%2Fb", [], 400, "unable to parse"),
            ("/v1/projects", body(name=7), 400, "JSON of a Project"),
            ("/v1/projects", body(nothing=7), 400, "nothing"),
            ("/v1/projects", ["--json", "{"], 400, "JSON of a Project"),
            ("/v1/projects", ["-X", "POST"], 400, "as the body"),
            ("/v1/projects", plain, 415, "application/json"),
            ("/v1/projects/default", ["-X", "PATCH"] + body(), 400, "PATCH needs update_mask"),
            ("/v1/projects/default", ["-X", "GET"] + body(), 400, "no body"),
            ("/v1/nothing", [], 404, "nothing is served at /v1/nothing"),
            ("/v1/projects/default:drop", [], 404, "nothing is served"),
            ("/v1/projects/", [], 404, "nothing is served"),
            ("/v2/projects", [], 404, "nothing is served"),
            ("/", [], 404, "nothing is served"),
        )
        for path, arguments, code, words in rows:
            with self.subTest(path=path, arguments=arguments):
                self.assert_refused(code, words,
                                    self.curl(path, *who, "--path-as-is", *arguments))

    def test_methods_that_are_not_for_a_path(self):
        for path, method, allowed in (("/v1/projects", "OPTIONS", "GET, POST"),
                                      ("/v1/projects/default", "POST", "GET, PUT, PATCH, DELETE"),
                                      ("/v1/projects:watch", "GET", "POST"),
                                      ("/v1alpha2:connect", "POST", "GET")):
            answer = self.curl(path, "-X", method)
            self.assert_refused(405, "not for this", answer)
            self.assertIn(f"Allow: {allowed}", answer.head)
            self.assertNotIn("Access-Control", answer.head)

    def test_no_page_of_a_browser_is_served(self):
        who = self.curl_administrator()
        for field in ("Origin: https://example.org", "Origin: null", "Sec-Fetch-Site: cross-site",
                      "Sec-Fetch-Site: same-origin"):
            answer = self.curl("/v1/projects", *who, "-H", field)
            self.assert_refused(403, "no browser", answer)
            self.assertNotIn("Access-Control", answer.head)
        # What a user types is no page's.
        self.assertEqual(self.curl("/v1/projects", *who, "-H", "Sec-Fetch-Site: none").code, 200)

    def test_what_is_no_tls_is_closed_in_time(self):
        """Also a handshake that never ends."""
        start = time.monotonic()
        for first in (b"", b"\x16\x03\x01", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
            with self.subTest(first=first), socket.create_connection(
                    ("127.0.0.1", self.web_port), timeout=programs.WAIT) as raw:
                raw.sendall(first)
                self.assertIn(raw.recv(1), (b"", b"\x15"))
        self.assertLess(time.monotonic() - start, 25)
        # Others have been served meanwhile, and are now.
        self.assertEqual(self.curl("/healthz").code, 200)

    def test_who_ends_without_saying_so_in_tls_has_not_asked(self):
        self.add_service_account("--role", "projects-admin")
        context = ssl.create_default_context(cafile=self.ca)
        raw = socket.create_connection(("127.0.0.1", self.web_port), timeout=programs.WAIT)
        with context.wrap_socket(raw, server_hostname=NAME) as secure:
            self.assertEqual(secure.version(), "TLSv1.2")
            secure.sendall(b"POST /v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                           + self.token().encode() + b"\r\nContent-Length: 9\r\n\r\n{")
            raw = secure.detach()
        with socket.socket(fileno=raw) as cut:
            cut.shutdown(socket.SHUT_WR)
            cut.settimeout(programs.WAIT)
            self.assertEqual(cut.recv(100), b"")

    def codes_of(self, *requests):
        """Of one connection, to its end."""
        context = ssl.create_default_context(cafile=self.ca)
        raw = socket.create_connection(("127.0.0.1", self.web_port), timeout=programs.WAIT)
        with context.wrap_socket(raw, server_hostname=NAME) as secure:
            secure.sendall("".join(f"{request}\r\nHost: x\r\n\r\n"
                                   for request in requests).encode())
            answers = b""
            while part := secure.recv(4096):
                answers += part
        return [int(code) for code in re.findall(rb"HTTP/1.1 (\d+)", answers)]

    def test_pages_after_a_refused_one_on_one_connection(self):
        codes = self.codes_of("GET /v1/nothing HTTP/1.1", "GET /healthz HTTP/1.1",
                              "GET /healthz HTTP/1.1\r\nConnection: close")
        self.assertEqual(codes, [404, 200, 200])

    def test_nobody_is_refused_before_what_is_asked_is_read(self):
        """Neither a query that is wrong, nor a body, of which the most is not sent."""
        post = "POST /v1/projects HTTP/1.1\r\nContent-Length: 1000000"
        for request in ("GET /v1/projects?nothing=1 HTTP/1.1", post,
                        post + "\r\nExpect: 100-continue"):
            with self.subTest(request=request):
                self.assertEqual(self.codes_of(request, "GET /healthz HTTP/1.1"), [401])
        denied = []
        deadline = time.monotonic() + programs.WAIT
        while len(denied) < 3 and time.monotonic() < deadline:  # the log is written beside
            denied = [json.loads(line) for line in self.admin("audit", "--json").splitlines()]
        self.assertEqual([(event["event"], event["code"]) for event in denied],
                         [("deny", "UNAUTHENTICATED")] * 3)

    def test_health_is_for_anybody(self):
        answer = self.curl("/healthz")
        self.assertEqual((answer.code, answer.body), (200, "ok\n"))

    def watch(self, who, path, *arguments):
        """The lines of a watch, as they come."""
        command = [word for word in self.curl_command(path, *who, "-X", "POST", *arguments)
                   if word != "-i"]
        curl = subprocess.Popen([*command, "-N", "-m", str(programs.WAIT)], stdout=subprocess.PIPE,
                                text=True)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)
        return (json.loads(line) for line in curl.stdout)

    def test_watches_answer_a_line_for_each_change(self):
        who = self.curl_administrator()
        for root in ("/v1", "/v1alpha2"):
            lab = f"projects/lab{root.replace('/', '-')}"
            self.call(who, "POST", f"{root}/projects", *body(name=lab, multiRegionPolicy={}))
            one = self.watch(who, f"{root}/{lab}:watch?view=FULL")
            many = self.watch(who, f"{root}/projects:watch?type=STATELESS", *body(
                filter=f'name = "{lab}"'))
            paged = self.watch(who, f"{root}/projects:watch", *body(pageSize=1, orderBy="name desc"))
            (first,) = next(one)["change"].values()
            self.assertEqual(first["project"]["name"], lab)
            snapshot = next(many)
            while not snapshot.get("isCurrent"):
                snapshot = next(many)
            self.assertTrue(snapshot["resumeToken"])
            (added,) = next(paged)["projectChanges"]
            self.assertEqual(added["added"]["project"]["name"], lab)

            self.call(who, "PUT", f"{root}/{lab}", *body(metadata={"labels": {"a": "b"}}),
                      updateMask="metadata.labels")
            for lines in (one, many, paged):
                line = next(lines)
                (change,) = line.get("projectChanges", [line.get("change")])
                (content,) = change.values()
                self.assertEqual(content["project"]["metadata"]["labels"], {"a": "b"})
            self.call(who, "DELETE", f"{root}/{lab}")
            self.assertIn("removed", next(many)["projectChanges"][0])

    def test_a_watch_ends_with_why(self):
        who = self.curl_administrator()
        many = self.watch(who, "/v1/projects:watch?type=STATELESS")
        self.assertTrue(next(many)["isCurrent"])
        self.admin("revoke", "--user", "alice")
        (error,) = next(many).values()
        self.assertIn(error["code"], (7, 16))
        self.assertIn("revoked", error["message"])
        self.assertEqual(list(many), [])
        refused = self.curl("/v1/projects:watch?type=STATELESS", *who, "-X", "POST")
        self.assert_refused(401, "revoked", refused)

    def test_a_long_answer_and_a_long_body(self):
        who = self.curl_administrator()
        notes = {f"note-{number}": "x" * 1000 for number in range(50)}
        names = [self.call(who, "POST", "/v1/projects", *body(
            metadata={"annotations": notes}, multiRegionPolicy={}))["name"] for _ in range(20)]
        page = self.call(who, "GET", "/v1/projects", filter='metadata.annotations.note-1 = "'
                         + "x" * 1000 + '"')
        self.assertEqual({project["name"] for project in page["projects"]}, set(names))
        self.assertEqual(page["projects"][0]["metadata"]["annotations"], notes)
        many = os.path.join(self.directory, "many.json")
        with open(many, "w", encoding="ascii") as file:
            json.dump({"metadata": {"annotations": {"note": "x" * 100_000}},
                       "multiRegionPolicy": {}}, file)
        self.assert_refused(400, "65536|64 KiB", self.curl("/v1/projects", *who, "--json",
                                                           "@" + many))
        with open(many, "w", encoding="ascii") as file:
            file.write('{"name": "' + "x" * (1 << 20) + '"}')
        self.assert_refused(413, "more than 1048576 bytes",
                            self.curl("/v1/projects", *who, "--json", "@" + many))

    def test_one_connection_carries_many_calls(self):
        command = self.curl_command("/v1/projects/default", *self.curl_administrator())
        url = command.pop()
        done = subprocess.run([*command, "-w", "%{num_connects}\n", *[url] * 20],
                              capture_output=True, check=True, timeout=programs.WAIT)
        counts = [line[-1] for line in done.stdout.decode().splitlines()
                  if line and line[-1] in "01" and line.endswith(("}1", "}0"))]
        self.assertEqual(counts, ["1"] + ["0"] * 19)


if __name__ == "__main__":
    unittest.main()
