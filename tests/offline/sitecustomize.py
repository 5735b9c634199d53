"""Cut the network for a Python process: only this machine may be reached.

Python imports this file by itself when its folder is on PYTHONPATH, so that the tests
and every notebook kernel run under it.
"""

import ipaddress
import os
import socket

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo
_LOCAL_NAMES = {None, "", "localhost", b"localhost", socket.gethostname()}

# Clients that are not written in Python obey these.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ[_name] = os.environ[_name.upper()] = "http://127.0.0.1:9"
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost,::1"
os.environ["HF_HUB_OFFLINE"] = "1"


class NetworkIsCut(OSError):
    """Something asked for the network, which the course promises never to need."""


def _local(host) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _guard(address) -> None:
    if isinstance(address, tuple) and not _local(address[0]):
        raise NetworkIsCut(f"the tests run offline, but {address[0]!r} was asked for")


def _guarded_connect(self, address):
    _guard(address)
    return _connect(self, address)


def _guarded_connect_ex(self, address):
    _guard(address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host, *rest, **options):
    _guard((host,))
    return _getaddrinfo(host, *rest, **options)


socket.socket.connect = _guarded_connect
socket.socket.connect_ex = _guarded_connect_ex
socket.getaddrinfo = _guarded_getaddrinfo
