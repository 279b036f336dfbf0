"""Errors: exit codes and nearest words."""

from coactivation_manifolds import errors


def test_every_class_has_an_exit_code_of_its_own():
    classes = errors.CoactivationError.__subclasses__()
    codes = [cls.exit_code for cls in classes]
    assert len(set(codes)) == len(codes) == 5
    assert all(code > errors.CoactivationError.exit_code for code in codes)


def test_the_nearest_known_word_is_offered():
    assert errors.nearest("jacard_floor", ["jaccard_floor", "min_count"]) == ' (did you mean "jaccard_floor"?)'
    assert errors.nearest("xyz", ["jaccard_floor"]) == ""
    assert errors.nearest("x", []) == ""
