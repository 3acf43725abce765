"""MATLAB files of version 5: those that SciPy and MATLAB write, and damaged ones."""

import base64
import struct
import tracemalloc

import numpy as np
import pytest

from dorefa.golden.data.matlab import read_matlab
from dorefa.golden.errors import InputError

from ...data_support import MATLAB_HEADER, compressed, element, variable

# scipy.io.savemat of SciPy 1.17.1, compressed: X as below, y [[10], [3]], both uint8.
SCIPY = base64.b85decode(
    "O+i#lK|&xkE-)ZXK~ybfX>4U6P;6mzW^ZzBIv{Xwb7^=iAVYFxVRU6=Aa8CuAX8y<AWm;~ATl^0GBG+ZG&(XeATlsAHUIzs0000000"
    "0000000000000000000000000000000000000000000000000000000Bu&4*&oFYykiOc%0*7U|_J2U|?Va(i}j{$p8VYKr8^n3Q)`p#"
    "7scU2!s((HiHC6fQgxfm5rT)lZ%^&mycgSP)JxrR7_k#Qc7AzR!&|)QAt@vRZU$(Q%hS%S5M!-(8$=t)Xdz%(#qP#*3RC+(aG7x)y"
    ">_*)63h(*Uvv7Feo@AG%P$KGAcSIHZDFPF)2AEH7z|OGb=kMH!r`Su&B7Cw5+_MvZ}hKwywURv8lPGwXMCQv#YzOx37P~#7UE<Or"
    "17;#>`o>=ggfqf5E~<i<c~2wtU6PRjb#mUAKP2#!Z{IY~8kf$Ie~5_w3!b|G>dRhmRaRcKpQ2Q>V|IJ$L@X#Y>m3T)lSv#?4!|@7%q"
    "2|G~pYkDok!_WZ@mSFhi^efR#u$4{TXeEs(Q$IoA*ULW=PsMklmKI-*RuaA0t)a#>OANBgE*GIiR>h)2tk9vL7>!V&D_4=sSN4-Ak^-"
    "-@6TdxBEf~K1_4*&oFDF6Tfc%0*7U|=u+Vm2V=0AfxC2w;WsnShuPj2Rg!!F(nLE@lP>02s>v@&"
)
# The same, not compressed: a struct called `other`, y [[10], [3]] as float64.
SCIPY_PLAIN = base64.b85decode(
    "O+i#lK|&xkE-)ZXK~ybfX>4U6P;6mzW^ZzBIv{Xwb7^=iAVYFxVRU6=Aa8CuAX8y<AWm;~ATl^0GBG+ZG&(XeATlsAHUIzs0000000"
    "0000000000000000000000000000000000000000000000000000000Bu&4gdfEcmMzZ1^@s62mk;80ssI2000001poj52mk;80RR910"
    "RR910RR911poj5Z**v7asU7T1pov90ssI20RRF3VE_OC4gdfEFaQ7m1^@s62mk;81ONa4000001poj52mk;80RR911ONa40RR910000"
    "05C8-KbY*yS4gdfEKmY&$1^@s62mk;81^@s6000001poj52mk;80ssI20RR910RRC2c>n+a2><{95C8xG00000001OF00000000O;"
)


def read(tmp_path, content, names=("X", "y")):
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    return read_matlab(path, names, "arrays")


def test_files_that_scipy_writes_are_read(tmp_path):
    found = read(tmp_path, SCIPY)
    expected = (np.arange(32 * 32 * 3 * 2) % 251).astype(np.uint8).reshape((32, 32, 3, 2), order="F")
    assert found["X"].dtype == np.uint8 and found["y"].dtype == np.uint8
    np.testing.assert_array_equal(found["X"], expected)
    np.testing.assert_array_equal(found["y"], [[10], [3]])
    found = read(tmp_path, SCIPY_PLAIN, ["y"])
    assert found["y"].dtype == np.float64
    np.testing.assert_array_equal(found["y"], [[10], [3]])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float64"])
@pytest.mark.parametrize("pack", [bytes, compressed])
def test_arrays_are_read_as_they_are_stored(tmp_path, rng, dtype, pack):
    array = rng.integers(0, 128, (3, 1, 2), np.uint8).astype(dtype)
    double = rng.integers(0, 256, (3, 5), np.uint8)
    found = read(
        tmp_path,
        MATLAB_HEADER
        + pack(variable("unused", array))
        + pack(variable("X", array))
        # As MATLAB stores doubles that are small whole numbers.
        + pack(variable("y", double, flags=6)),
    )
    assert found["X"].dtype == dtype and found["y"].dtype == np.uint8
    np.testing.assert_array_equal(found["X"], array)
    np.testing.assert_array_equal(found["y"], double)


ONE = np.ones((2, 3), np.uint8)
X = variable("X", ONE)
EVERY = MATLAB_HEADER + X + variable("y", ONE)


def matrix(*elements):
    content = b"".join(elements)
    return struct.pack("<II", 14, len(content)) + content


# With another checksum.
WRONG = bytearray(compressed(X))
WRONG[-1] ^= 1
FLAGS, SIZES, NAME = (
    element(6, struct.pack("<II", 9, 0)),
    element(5, struct.pack("<ii", 2, 3)),
    element(1, b"X"),
)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is no MATLAB file of version 5, little endian: begins with b''"),
        (EVERY[:127], "is no MATLAB file of version 5, little endian: begins with b'MATLAB 5.0 MAT-file,'"),
        (
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(512),
            "is no MATLAB file of version 5, little endian: begins with b'MATLAB 7.3 MAT-file '",
        ),
        (MATLAB_HEADER, "no variable X"),
        (MATLAB_HEADER + X, "no variable y"),
        (MATLAB_HEADER + X + X, "variable X is there twice"),
        (EVERY[:-1], "truncated: a variable claims 56 bytes and 55 are there"),
        (MATLAB_HEADER + X[:7], "truncated: 8 bytes are due in front of an element and 7 are there"),
        (MATLAB_HEADER + element(14, b"1234"), "has an element of type 14 where a variable is due"),
        (MATLAB_HEADER + element(2, b"12345678"), "has an element of type 2 where a variable is due"),
        (MATLAB_HEADER + compressed(X[:-3]), "truncated: 6 bytes are due in variable X and 5 are there"),
        (MATLAB_HEADER + compressed(X + b"1"), "has bytes left over behind variable X"),
        (MATLAB_HEADER + matrix(X[8:], b"1"), "has bytes left over behind variable X"),
        (
            MATLAB_HEADER + WRONG,
            "cannot be read (zlib: Error -3 while decompressing data: incorrect data check)",
        ),
        (MATLAB_HEADER + compressed(element(2, b"1")), "has a compressed element that is no variable"),
        (MATLAB_HEADER + compressed(b""), "has a compressed element that is no variable"),
        (
            MATLAB_HEADER + struct.pack("<II", 15, 4) + b"junk",
            "cannot be read (zlib: Error -3 while decompressing data: incorrect header check)",
        ),
        (MATLAB_HEADER + matrix(), "has no flags of a variable"),
        (MATLAB_HEADER + matrix(SIZES), "has no flags of a variable but type 5"),
        (
            MATLAB_HEADER + matrix(element(6, b"12")),
            "has 2 bytes of flags of a variable, as many as 8 are read",
        ),
        (
            MATLAB_HEADER + matrix(FLAGS, element(5, bytes(36))),
            "has 36 bytes of sizes of a variable, at most 32 are read",
        ),
        (
            MATLAB_HEADER + matrix(FLAGS, SIZES, struct.pack("<II", 1, 9)),
            "truncated: 9 bytes of name of a variable",
        ),
        (MATLAB_HEADER + matrix(FLAGS, element(5, b"123"), NAME), "variable X has sizes of 3 bytes"),
        (MATLAB_HEADER + matrix(FLAGS, SIZES, NAME), "variable X has no numbers"),
        (
            MATLAB_HEADER + matrix(FLAGS, SIZES, NAME, element(16, b"abc")),
            "variable X has no numbers but type 16",
        ),
        (
            MATLAB_HEADER + matrix(FLAGS, SIZES, NAME, struct.pack("<HH", 2, 5) + b"1234"),
            "has a small element of 5 bytes, at most 4 fit",
        ),
        (MATLAB_HEADER + variable("X", ONE, flags=1), "variable X is no array of real numbers"),
        (MATLAB_HEADER + variable("X", ONE, flags=0x809), "variable X is no array of real numbers"),
        (MATLAB_HEADER + variable("X", ONE, sizes=(-2, -3)), "variable X claims shape (-2, -3), at most"),
        (
            MATLAB_HEADER + variable("X", ONE, sizes=(1 << 30, 0, 9)),
            "variable X claims shape (1073741824, 0, 9), at most 536870912 bytes are read",
        ),
        (
            MATLAB_HEADER + variable("X", ONE, sizes=(2, 2)),
            "variable X has 6 bytes and shape (2, 2) of uint8 needs 4",
        ),
        (MATLAB_HEADER + 64 * variable("z", ONE), "has more than 64 variables"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, content, message):
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'a.mat'}: {message}"), text
    assert text.endswith("; accepted: arrays") and text.isprintable()


def test_no_more_is_unpacked_than_the_shape_needs(tmp_path):
    huge = variable("X", np.zeros(1 << 24, np.uint8), sizes=(4, 4))
    content = MATLAB_HEADER + compressed(variable("a", np.zeros(1 << 24, np.uint8))) + compressed(huge)
    del huge
    tracemalloc.start()
    with pytest.raises(InputError, match=r"has 16777216 bytes and shape \(4, 4\) of uint8 needs 16;"):
        read(tmp_path, content)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()
