"""The datasets nervure knows by name: where they come from and how big they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nervure.errors import DataError
from nervure.textual import did_you_mean


@dataclass(frozen=True)
class Official:
    """One file of the official source.

    Attributes
    ----------
    url : str
    checksum : str or None
        "md5:..." or "sha256:..."; None where the publisher gives none: then the checksum of the
        first download is recorded and later ones must match it.
    """

    url: str
    checksum: str | None = None

    @property
    def filename(self) -> str:
        """Name under which the file is kept."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Entry:
    """What is known of a dataset before it is loaded.

    Attributes
    ----------
    name, citation, licence : str
    rows, features, classes : int
        Of the repacked file; of the official data where there is none.
    repacked : str or None
        File looked for in ``NERVURE_DATA``.
    sha256 : str or None
        Of that file.
    subset : str or None
        What part of the published data the repacked file holds, if not all.
    official : tuple of Official
        What is downloaded when there is no repacked file; empty if that is not offered.
    official_rows : int or None
        Rows of the official data, where the repacked file holds fewer.
    """

    name: str
    rows: int
    features: int
    classes: int
    citation: str
    licence: str
    repacked: str | None = None
    sha256: str | None = None
    subset: str | None = None
    official: tuple[Official, ...] = ()
    official_rows: int | None = None


def _idx(base: str, *md5: str) -> tuple[Official, ...]:
    names = (
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    )
    return tuple(Official(base + n, f"md5:{m}") for n, m in zip(names, md5, strict=True))


def _uci(number: int, name: str) -> tuple[Official, ...]:
    return (Official(f"https://archive.ics.uci.edu/static/public/{number}/{name}.zip"),)


def _feature_selection(name: str) -> tuple[Official, ...]:
    base = "https://github.com/jundongl/scikit-feature/raw/master/skfeature/data/"
    return (Official(base + name),)


_ENTRIES = (
    Entry(
        "digits", 1797, 64, 10,
        "Alpaydin and Kaynak 1998, Optical recognition of handwritten digits, UCI",
        "CC BY 4.0 (ships with scikit-learn)",
    ),
    Entry(
        "codon", 13026, 64, 11,
        "Hallee and Khomtchouk 2023, Scientific Reports, s41598-023-28965-7",
        "CC BY 4.0",
        "codon_usage.npz", "ef97c7f2ff52717f7fceb0c1a90e937ff18ab703c0f3ccd2229b15822f708f11",
        None, _uci(577, "codon+usage"),
    ),
    Entry(
        "facebook", 22470, 4714, 4,
        "Rozemberczki, Allen and Sarkar 2021, J. Complex Networks 9(2)",
        "CC BY 4.0 (UCI), GPL-3.0 (repository)",
        "facebook_large.npz", "a02ceb56fd7925b0a93caa8b7ac1f997d9c2603acb207d5e09112bb47e1bd169",
        None, (Official("https://snap.stanford.edu/data/facebook_large.zip"),),
    ),
    Entry(
        "gas", 6697, 128, 6,
        "Vergara et al. 2012, Sensors and Actuators B 166; Rodriguez-Lujan et al. 2014",
        "research use only",
        "gas_drift_partial.npz", "5a2fc4186dd9a2764f89853256874c75e944b93c6941bafaa161df48c71454e1",
        "a subset: batches 1-6, 8 and 9 of 10, 6,697 of 13,910 rows; published figures for all "
        "rows are not comparable",
        _uci(270, "gas+sensor+array+drift+dataset+at+different+concentrations"), 13910,
    ),
    Entry(
        "activity", 9120, 720, 19,
        "Altun, Barshan and Tuncel 2010, Pattern Recognition 43(10)",
        "CC BY 4.0",
        "daily_sports.npz", "533be09f12e03323deadae4164af9f83d2a5c5a3b346ab8f77c7442d48c9ccbb",
        None, _uci(256, "daily+and+sports+activities"),
    ),
    Entry(
        "mnist", 70000, 784, 10,
        "LeCun, Bottou, Bengio and Haffner 1998, Proc. IEEE 86(11)",
        "CC BY-SA 3.0",
        "mnist.npz", "45018a0e11658ecd0e37fb8fc5e3eb15aea36b14ccb389499d12dd20c8648555",
        None,
        _idx(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    Entry(
        "fashion_mnist", 70000, 784, 10,
        "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
        "MIT",
        "fashion_mnist.npz", "28bee34e3496724d7711508d2b505e1afac49515f4f9f4ef70ecbc36aec2a9fa",
        None,
        _idx(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    Entry(
        "kmnist", 10000, 784, 10,
        "Clanuwat et al. 2018, arXiv:1812.01718",
        "CC BY-SA 4.0",
        "kmnist_test10k.npz", "cc63f747a331ba2cc7abe3a5a41f718fe3ac79463fb0eebfe2b630b8dfadb25a",
        "a subset: only the official 10,000 test images, split 800 / 200 per class; published "
        "figures are not comparable",
    ),
    Entry(
        "emnist", 18800, 784, 47,
        "Cohen, Afshar, Tapson and van Schaik 2017, arXiv:1702.05373",
        "NIST Special Database 19",
        "emnist47_subset.npz", "0914ed4e23b0fa8310d704628d8d31e83dc0b1186a8f7e7843a7970bdfaa112d",
        "a subset: 400 images of each of 47 classes, from the ByMerge test set; published figures "
        "are not comparable",
    ),
    Entry(
        "cifar10", 18000, 3072, 10,
        "Krizhevsky 2009, Learning multiple layers of features from tiny images",
        "research use",
        "cifar10_subset.npz", "c2b66d92643a546d22cec61a994d69d70375a2185c69ecea6625c090b8267d8d",
        "a subset: 15,000 training and 3,000 test images; published figures are not comparable",
        (
            Official(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
        60000,
    ),
    Entry(
        "20newsgroups", 18846, 10000, 20,
        "Lang 1995, NewsWeeder; the 'bydate' version of J. Rennie",
        "public Usenet posts",
        "20newsgroups.jsonl.gz", "68c86644aca908ef60f199f2034cc0e588ac70547b816c27f2e3f4468d39eaa0",
    ),
    Entry(
        "coil20", 1440, 1024, 20,
        "Nene, Nayar and Murase 1996, CUCS-005-96",
        "research use",
        "coil20.npz", "bb93852fef989fd796db582e60cf02d236a3438e2b2313512129ec2bbc148cd1",
        None, _feature_selection("COIL20.mat"),
    ),
    Entry(
        "lung_discrete", 73, 325, 7,
        "Peng, Long and Ding 2005, IEEE TPAMI 27(8)",
        "research use",
        "lung_discrete.npz", "451656a273536ebc25cd9d7c6630512c38a2117873248299f7b79756b95214a0",
        None, _feature_selection("lung_small.mat"),
    ),
    Entry(
        "tox171", 171, 5748, 4,
        "Li et al. 2017, Feature Selection: A Data Perspective, ACM Computing Surveys 50(6)",
        "research use",
        "tox171.npz", "c55d0ca06778cf46f60ae808311cb928a32e6c0e807dd6a24ce8f261509ad87b",
        None, _feature_selection("TOX-171.mat"),
    ),
    Entry(
        "lung", 203, 3312, 5,
        "Bhattacharjee et al. 2001, PNAS 98(24); file of Li et al. 2017",
        "research use",
        official=_feature_selection("lung.mat"),
    ),
)  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def find_entry(name: str, others: Iterable[str] = ()) -> Entry:
    """Look a dataset up by name; dashes and underscores are the same.

    Parameters
    ----------
    name : str
    others : iterable of str
        What else might have been meant, where this is no dataset.

    Raises
    ------
    DataError
        For an unknown name, with the nearest known ones.
    """
    key = name.lower().replace("-", "_")
    if key not in CATALOGUE:
        known = [*CATALOGUE, *others]
        near = did_you_mean(key, known) or did_you_mean(name, known)
        raise DataError(
            f"no dataset and no file named {name!r}{near}; known datasets: "
            f"{', '.join(known)}; a file must end in .csv, .csv.gz, .parquet or .npz"
        )
    return CATALOGUE[key]
