#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does `interlock factor` find the factors, and print them as GNU factor does?"""
import functools
import json
import random
import shutil
import subprocess

from tool import interlock, main

SEED = 20
GNU = shutil.which("factor")


@functools.cache
def _numbers():
    """Ordinary ones, and those that are hard to get right."""
    draw = random.Random(SEED)
    edges = [0, 1, 2, 3, 4, 2**32 - 1, 2**32, 2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 59]
    near = [4294967291, 4294967279, 4294967231, 4294967197, 4294967189]  # primes below 2^32
    pairs = [p * q for p in near for q in near]
    cubes = [2642239**3, 2642243**2, 65521**4, 65519**3, 3**40, 2053**5, 2053 * 2063, 2039 * 2053]
    carmichael = [561, 1105, 1729, 2465, 9746347772161, 1436697831295441, 60977817398996785]
    pseudo = [2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321,
              3825123056546413051]
    every_length = [draw.randrange(2 ** (bits - 1), 2**bits) for bits in range(1, 65)
                    for _ in range(100)]
    return edges + pairs + cubes + carmichael + pseudo + every_length + list(range(2000))


def _lines(numbers):
    return "".join(f"{n}\n" for n in numbers)


def numbers_are_factored_as_gnu_factor_does():
    if not GNU:
        print("      no GNU factor to compare with")
        return
    text = _lines(_numbers())
    expected = subprocess.run([GNU], input=text, capture_output=True, text=True, check=True).stdout
    for on in "inline", "threads", "processes", "loop":
        done = interlock("factor", "--on", on, text=text)
        assert done.status == 0 and not done.err, done.err
        assert done.out == expected, on


def factors_multiply_to_the_number():
    done = interlock("factor", text=_lines(_numbers()))
    lines = done.out.splitlines()
    assert len(lines) == len(_numbers())
    for n, line in zip(_numbers(), lines):
        name, _, factors = line.partition(":")
        factors = [int(f) for f in factors.split()]
        product = functools.reduce(lambda a, b: a * b, factors, 1)
        assert name == str(n), line
        assert factors == sorted(factors), line
        assert product == n if n > 0 else not factors, line


def zero_and_one_have_no_factors():
    assert interlock("factor", "0", "1").out == "0:\n1:\n"


def trial_division_finds_the_same():
    numbers = _lines(n for n in _numbers() if n < 2**36)
    assert interlock("factor", "--trial", text=numbers).out == interlock("factor", text=numbers).out


def arguments_and_input_are_the_same():
    numbers = [str(n) for n in _numbers()[:300]]
    by_argument = interlock("factor", *numbers)
    assert by_argument.out == interlock("factor", text=" ".join(numbers)).out
    assert by_argument.out == interlock("factor", text="\n\n".join(numbers) + "\n\t ").out
    assert by_argument.out == interlock("factor", text="\r\n".join(numbers)).out


def plus_and_leading_zeros_are_accepted():
    done = interlock("factor", "+12", " 12", "0012", "000000000000000000000000000000000000012")
    assert done.out == "12: 2 2 3\n" * 4 and done.status == 0


def json_is_an_object_a_line():
    numbers = [n for n in _numbers() if n < 2**64]
    plain = interlock("factor", text=_lines(numbers)).out.splitlines()
    lines = interlock("factor", "--json", text=_lines(numbers)).out.splitlines()
    assert len(lines) == len(plain)
    for line, expected in zip(lines, plain):
        found = json.loads(line)
        assert list(found) == ["n", "factors"]
        assert " ".join([f"{found['n']}:", *map(str, found["factors"])]) == expected
    assert interlock("factor", "--json", "12").out == '{"n": 12, "factors": [2, 2, 3]}\n'


def random_numbers_are_those_of_the_book():
    done = interlock("factor", "--random", "10000", "--seed", "1", "--trial")
    lines = done.out.splitlines()
    assert len(lines) == 10000
    assert sum(len(line.split()) - 1 for line in lines) == 39371
    assert all(20000 <= int(line.split(":")[0]) <= 100000000 for line in lines)
    assert done.out == interlock("factor", "--random", "10000").out
    assert done.out != interlock("factor", "--random", "10000", "--seed", "2").out


def random_numbers_keep_to_their_range():
    done = interlock("factor", "--random", "1000", "--range", "5:7")
    assert {line.split(":")[0] for line in done.out.splitlines()} == {"5", "6", "7"}
    whole = interlock("factor", "--random", "200", "--range", "0:18446744073709551615")
    assert any(int(line.split(":")[0]) > 2**63 for line in whole.out.splitlines())
    assert interlock("factor", "--random", "0").out == ""


def bad_words_are_named_one_a_line_and_the_rest_is_done():
    done = interlock("factor", "12", "abc", "5-", "", "1e3", "13", "0x10", "1 2")
    assert done.out == "12: 2 2 3\n13: 13\n" and done.status == 1
    assert done.err == "".join(
        f"interlock factor: '{word}' is not a valid positive integer\n"
        for word in ("abc", "5-", "", "1e3", "0x10", "1 2"))
    done = interlock("factor", text="7 x 8\ny\n9")
    assert done.out == "7: 7\n8: 2 2 2\n9: 3 3\n" and done.status == 1
    assert done.err.count("\n") == 2


def numbers_over_64_bits_are_said_to_be_too_large():
    for word in ("18446744073709551616", "99999999999999999999", "1" * 50):
        done = interlock("factor", word, "2")
        assert done.out == "2: 2\n" and done.status == 1
        assert done.err == (f"interlock factor: '{word}' is too large: "
                            "numbers go up to 18446744073709551615\n")
    assert interlock("factor", "18446744073709551615").status == 0


def bad_words_cannot_harm_a_terminal():
    done = interlock("factor", text="\033[31mred \u009b \u00e9 7\x00")
    assert done.status == 1 and done.out == ""
    assert all(" " <= c <= "~" or c == "\n" for c in done.err), done.err
    long = interlock("factor", "x" * 5000)
    assert len(long.err) < 200 and long.err.count("\n") == 1


def monstrous_words_are_one_bad_word():
    for text in ("0" * 3_000_000 + "12", "9" * 300_000, "z" * 262_144):
        done = interlock("factor", text=f"5 {text} 6")
        assert done.out == "5: 5\n6: 2 3\n", done.out[:100]
        assert done.status == 1 and done.err.count("\n") == 1 and len(done.err) < 200


def empty_input_is_nothing_to_do():
    for text in ("", "\n", "  \n\t\n"):
        done = interlock("factor", text=text)
        assert (done.out, done.err, done.status) == ("", "", 0)


main(globals())
