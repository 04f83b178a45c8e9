"""The programs of `deferred-*` on the real Twisted: prints nanoseconds of CPU time per operation.

Five rounds of each, of which the median is shown. Started by `run`, which finds Twisted.
"""

import platform
import statistics
import time

from twisted import __version__
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults, inlineCallbacks, succeed

ROUNDS = 5
CHAIN = 1_000
GATHERED = 100


def add_one(value):
    return value + 1


def fire():
    deferred = Deferred()
    deferred.addCallback(add_one).addCallback(add_one).addCallback(add_one)
    deferred.callback(1)


fired = succeed(1)


def add_to_fired():
    fired.addCallback(add_one).addCallback(add_one).addCallback(add_one)


def succeed_and_add():
    succeed(1).addCallback(add_one).addCallback(add_one).addCallback(add_one)


def chain():
    deferred = Deferred()
    for _ in range(CHAIN):
        deferred.addCallback(add_one)
    deferred.callback(1)


async def fire_and_await_many():
    for number in range(CHAIN):
        deferred = Deferred()
        deferred.callback(number)
        await deferred


def fire_and_await():
    ensureDeferred(fire_and_await_many())


async def await_three():
    return await succeed(1) + await succeed(2) + await succeed(3)


def coroutine():
    ensureDeferred(await_three())


@inlineCallbacks
def yield_three():
    one = yield succeed(1)
    two = yield succeed(2)
    three = yield succeed(3)
    return one + two + three


def gather():
    gatherResults([succeed(number) for number in range(GATHERED)])


# Name, program, how often in a round, operations in a call.
PROGRAMS = [
    ("deferred-fire", fire, 100_000, 1),
    ("deferred-add-fired", add_to_fired, 100_000, 1),
    ("deferred-succeed-add", succeed_and_add, 100_000, 1),
    ("deferred-chain", chain, 200, CHAIN),
    ("deferred-await", fire_and_await, 100, CHAIN),
    ("deferred-coroutine", coroutine, 50_000, 1),
    ("deferred-coroutine, inlineCallbacks", yield_three, 50_000, 1),
    ("deferred-gather", gather, 1_000, GATHERED),
]


def measure(program, times, operations):
    for _ in range(times // 10):
        program()
    start = time.process_time_ns()
    for _ in range(times):
        program()
    return (time.process_time_ns() - start) / (times * operations)


def main():
    print(f"Twisted {__version__}, {platform.python_implementation()} {platform.python_version()}: CPU ns per op")
    for name, program, times, operations in PROGRAMS:
        median = statistics.median(measure(program, times, operations) for _ in range(ROUNDS))
        print(f"{name:36} {median:8.0f}")


if __name__ == "__main__":
    main()
