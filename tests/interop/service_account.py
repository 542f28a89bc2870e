"""A service account of a test's broker, which signs JSON Web Tokens for itself."""

import base64
import json
import os
import re
import subprocess
import time

import programs

OPENSSL = "/usr/bin/openssl"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class ServiceAccount:
    """To be mixed into a test that has a `directory` and an `admin`."""

    def openssl(self, *arguments, stdin=b""):
        return subprocess.run([OPENSSL, *arguments], input=stdin, check=True, capture_output=True,
                              timeout=programs.WAIT).stdout

    def add_service_account(self, *rule):
        """`ci`, who may what `rule` says."""
        self.key = os.path.join(self.directory, "key.pem")
        self.openssl("genrsa", "-out", self.key, "2048")
        public = os.path.join(self.directory, "public.pem")
        self.openssl("pkey", "-in", self.key, "-pubout", "-out", public)
        said = self.admin("service-account", "add", "ci", "--public-key", public)
        self.account, self.kid = re.fullmatch(r"iss and sub: (\S+)\nkid: (\S+)\n", said).groups()
        self.admin("policy", "allow", "--service-account", "ci", *rule)

    def token(self, lifetime=600):
        """A JSON Web Token that `ci` signed."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": self.kid}
        claims = {"iss": self.account, "sub": self.account, "aud": "culvert", "iat": now,
                  "exp": now + lifetime}
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        signature = self.openssl("dgst", "-sha256", "-sign", self.key, stdin=text.encode())
        return text + "." + b64(signature)
