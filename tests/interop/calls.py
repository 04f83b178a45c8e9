"""
Twisted's side for AMP: the server answers commands, the client calls them and writes what comes back.
"""

import datetime
import decimal

from twisted.internet import defer, protocol, reactor
from twisted.logger import globalLogBeginner
from twisted.protocols import amp
from twisted.python.filepath import FilePath

import peer

chosen = peer.arguments(script=["commands", "fatal", "unknown", "tls", "switch"])


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Integer()), (b"denominator", amp.Integer())]
    response = [(b"result", amp.Float())]
    errors = {ZeroDivisionError: b"ZERO_DIVISION"}
    fatalErrors = {OverflowError: b"TOO_HARD"}


class Fail(amp.Command):
    response = []


class NotThere(amp.Command):
    pass


class Note(amp.Command):
    arguments = [(b"text", amp.Unicode())]
    requiresAnswer = False


class Later(amp.Command):
    """Answered when the next one comes, which is answered at once."""

    arguments = [(b"name", amp.Unicode())]
    response = [(b"name", amp.Unicode())]


KINDS = [
    (b"integer", amp.Integer()),
    (b"bytes", amp.String()),
    (b"text", amp.Unicode()),
    (b"flag", amp.Boolean()),
    (b"number", amp.Float()),
    (b"amount", amp.Decimal()),
    (b"when", amp.DateTime()),
    (b"where", amp.Path()),
    (b"numbers", amp.ListOf(amp.Integer())),
    (b"guests", amp.AmpList([(b"name", amp.Unicode()), (b"age", amp.Integer(optional=True))])),
    (b"missing", amp.Unicode(optional=True)),
    (b"type", amp.Unicode()),
]


class Kinds(amp.Command):
    arguments = KINDS
    response = KINDS


class Switch(amp.ProtocolSwitchCommand):
    pass


class Raw(protocol.Protocol):
    """What comes after AMP: the server sends it back in capitals."""

    def connectionMade(self):
        peer.tell("switched")
        if chosen.role == "connect":
            self.transport.write(b"hello")

    def dataReceived(self, data):
        peer.tell("raw", data.decode())
        if chosen.role == "serve":
            self.transport.write(data.upper())
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        peer.tell("raw lost", reason.type.__name__)

    def clientConnectionLost(self, connector, reason):
        pass


class RawFactory(protocol.ClientFactory):
    noisy = False
    protocol = Raw


class Calls(amp.AMP):
    waiting = None

    def connectionMade(self):
        if chosen.role == "connect":
            script = defer.ensureDeferred(globals()[chosen.script](self))
            script.addErrback(peer.failed)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        peer.ended(reason)

    @Sum.responder
    def sum(self, a, b):
        peer.tell("sum", a, b)
        return {"total": a + b}

    @Divide.responder
    def divide(self, numerator, denominator):
        peer.tell("divide", numerator, denominator)
        if denominator == -1:
            raise OverflowError("minus one is too hard")
        return {"result": numerator / denominator}

    @Fail.responder
    def fail(self):
        peer.tell("fail")
        raise RuntimeError("the dog ate it")

    @Note.responder
    def note(self, text):
        peer.tell("note", text)
        return {}

    @Later.responder
    def later(self, name):
        peer.tell("later", name)
        if self.waiting is None:
            self.waiting = (defer.Deferred(), name)
            return self.waiting[0]
        answer, first = self.waiting
        reactor.callLater(0, answer.callback, {"name": first})
        return {"name": name}

    @Kinds.responder
    def kinds(self, **kinds):
        tell_kinds(kinds)
        return kinds

    @Switch.responder
    def switch(self):
        return Raw()

    @amp.StartTLS.responder
    def start_tls(self):
        return {"tls_localCertificate": peer.identity(chosen.certificates)}


def tell_kinds(kinds):
    for name, value in sorted(kinds.items()):
        if isinstance(value, FilePath):
            value = value.path
        elif isinstance(value, datetime.datetime):
            value = value.isoformat()
        elif isinstance(value, bytes):
            value = value.hex()
        peer.tell("kind", name, value)


async def commands(calls):
    peer.tell("total", (await calls.callRemote(Sum, a=13, b=81))["total"])
    totals = await defer.gatherResults([calls.callRemote(Sum, a=n, b=n) for n in range(100)])
    peer.tell("totals", sum(answer["total"] for answer in totals))
    peer.tell("result", (await calls.callRemote(Divide, numerator=1, denominator=3))["result"])
    try:
        await calls.callRemote(Divide, numerator=1, denominator=0)
    except ZeroDivisionError as error:
        peer.tell("known error", error)
    try:
        await calls.callRemote(NotThere)
    except amp.UnhandledCommand as error:
        peer.tell("unhandled", error.args[1])
    calls.callRemote(Note, text="Grüße")
    order = []
    names = [calls.callRemote(Later, name=name).addCallback(order.append) for name in ["first", "second"]]
    await defer.gatherResults(names)
    peer.tell("order", *[answer["name"] for answer in order])
    when = datetime.datetime(2012, 1, 23, 12, 34, 56, 54321, amp.utc)
    tell_kinds(
        await calls.callRemote(
            Kinds,
            integer=-(2**63),
            bytes=bytes(range(256)),
            text="Grüße",
            flag=True,
            number=1e300,
            amount=decimal.Decimal("19.90"),
            when=when,
            where=FilePath("/var/tmp"),
            numbers=[1, -2, 300],
            guests=[{"name": "Ada", "age": 36}, {"name": "Kurt", "age": None}],
            type="x",
        )
    )
    calls.transport.loseConnection()


async def fatal(calls):
    try:
        await calls.callRemote(Divide, numerator=1, denominator=-1)
    except OverflowError as error:
        peer.tell("fatal error", error)


async def unknown(calls):
    try:
        await calls.callRemote(Fail)
    except amp.UnknownRemoteError as error:
        peer.tell("unknown error", error.description)


async def tls(calls):
    peer.tell("total", (await calls.callRemote(Sum, a=1, b=2))["total"])
    started = calls.callRemote(amp.StartTLS, tls_verifyAuthorities=[peer.authority(chosen.certificates)])
    meanwhile = calls.callRemote(Sum, a=3, b=4)
    await started
    peer.tell("total", (await meanwhile)["total"])
    peer.tell("certificate of", calls.peerCertificate.getIssuer().commonName.decode())
    calls.transport.loseConnection()


async def switch(calls):
    await calls.callRemote(Switch, RawFactory())


# Twisted would write to standard error that a responder failed, which it does on purpose here.
globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
peer.run(chosen, Calls)
