"""
What the scripts have in common: where they listen or connect to, and how they tell the test what they see.

A script is called with `serve` or `connect PORT`, and with `--tls FOLDER` if TLS comes before all else. It writes a line for each thing that
happens, and ends when its connection does.
"""

import argparse
import sys

from twisted.internet import endpoints, reactor, ssl
from twisted.internet.protocol import Factory
from twisted.python.filepath import FilePath


def arguments(**positional):
    parser = argparse.ArgumentParser()
    for name, choices in positional.items():
        parser.add_argument(name, choices=choices)
    parser.add_argument("role", choices=["serve", "connect"])
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--tls", type=FilePath)
    parser.add_argument("--certificates", type=FilePath)
    return parser.parse_args()


def tell(*words):
    print(*words, flush=True)


def identity(folder):
    """The certificate of the server, with its key."""
    pem = folder.child("server.pem").getContent() + folder.child("server.key").getContent()
    return ssl.PrivateCertificate.loadPEM(pem)


def authority(folder):
    return ssl.Certificate.loadPEM(folder.child("authority.pem").getContent())


def run(chosen, protocol):
    """Runs one connection to its end. `protocol` tells what happens on it, and calls `ended`."""
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    if chosen.role == "serve":
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        if chosen.tls is not None:
            endpoint = endpoints.SSL4ServerEndpoint(reactor, 0, identity(chosen.tls).options(), interface="127.0.0.1")
        started = endpoint.listen(factory)
        started.addCallback(lambda port: tell("listening", port.getHost().port))
    else:
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", chosen.port)
        if chosen.tls is not None:
            options = ssl.optionsForClientTLS("localhost", trustRoot=authority(chosen.tls))
            endpoint = endpoints.wrapClientTLS(options, endpoint)
        started = endpoint.connect(factory)
    started.addErrback(failed)
    reactor.run()
    sys.exit(failures)


failures = 0


def failed(failure):
    """Something that the script did not expect."""
    global failures
    failures += 1
    sys.stderr.write(failure.getTraceback())
    reactor.callWhenRunning(reactor.stop)


def ended(reason):
    tell("lost", reason.type.__name__)
    if reactor.running:
        reactor.stop()
