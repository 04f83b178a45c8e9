"""
Twisted's side for lines, netstrings and strings behind their length.

The server sends each string back, last byte first. The client sends what it reads from standard input, in hexadecimal and one per line, and
closes the connection when as many have come back.
"""

import sys

from twisted.protocols import basic

import peer

chosen = peer.arguments(format=["lines", "netstrings", "int32"])


class Strings:
    """Mixed into a receiver, whose methods have different names."""

    def connectionMade(self):
        self.came = 0
        if chosen.role == "connect":
            self.strings = [bytes.fromhex(line) for line in sys.stdin]
            for string in self.strings:
                self.send(string)

    def received(self, string):
        peer.tell("received", string.hex())
        self.came += 1
        if chosen.role == "serve":
            self.send(string[::-1])
        elif self.came == len(self.strings):
            self.transport.loseConnection()

    def connectionLost(self, reason):
        peer.ended(reason)


class Lines(Strings, basic.LineReceiver):
    def send(self, line):
        self.sendLine(line)

    def lineReceived(self, line):
        self.received(line)


class Netstrings(Strings, basic.NetstringReceiver):
    def send(self, string):
        self.sendString(string)

    def stringReceived(self, string):
        self.received(string)


class Int32(Strings, basic.Int32StringReceiver):
    def send(self, string):
        self.sendString(string)

    def stringReceived(self, string):
        self.received(string)


peer.run(chosen, {"lines": Lines, "netstrings": Netstrings, "int32": Int32}[chosen.format])
