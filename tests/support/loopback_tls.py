"""A certificate for 127.0.0.1 that nobody trusts unless told; good until 2126."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUZvclk9GK7t1/3LxnVrOIkB83UWgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNDAyNTE1NFoYDzIxMjYxMDMx
MDI1MTU0WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARIwsWa0MWP797WjYudoD+w1rlOcPOP0WBb4aXzpLgerUZke38QGSG/
5ow3+b4HfpxsVujD5XJKzNKK4M9cVp4Zo2QwYjAdBgNVHQ4EFgQUPrW2RPyJzvZJ
9WLTjsZ8qqbxQOYwHwYDVR0jBBgwFoAUPrW2RPyJzvZJ9WLTjsZ8qqbxQOYwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQCaUWIUouVuZi0Lw7YWgdWdQ76zAnxy1XyI1gFQCmtjpgIhAJViLKLrOJpLD1L5
4Hu/AfMCU3gLqkJSI9GwbEsYFRT5
-----END CERTIFICATE-----
"""
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZ78vy2QGkfmnDuTq
kPwZNAJEtBjx48LLms8A6+NVY9+hRANCAARIwsWa0MWP797WjYudoD+w1rlOcPOP
0WBb4aXzpLgerUZke38QGSG/5ow3+b4HfpxsVujD5XJKzNKK4M9cVp4Z
-----END PRIVATE KEY-----
"""


def server_context(directory: Path) -> ssl.SSLContext:
    """Return what a server on loopback needs; `directory` takes its files."""
    path = directory / "loopback.pem"
    path.write_text(_KEY + CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def trust_file(directory: Path) -> Path:
    """Return a file of certificates to trust that holds only this one."""
    path = directory / "trusted.pem"
    path.write_text(CERTIFICATE)
    return path
