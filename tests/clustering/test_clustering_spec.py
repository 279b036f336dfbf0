from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.clustering.spec import (
    OBJECTIVES,
    WEIGHTS,
    ClusteringSpec,
    expand_names,
    parse_spec,
    suggest,
)
from coactivation_manifolds.errors import ConfigError

SHARES = st.integers(0, 100).map(lambda n: Decimal(n) / 100)
RESOLUTIONS = st.integers(0, 999_999_999).map(lambda n: Decimal(n) / 1000)
SEEDS = st.integers(0, 999_999_999)


@st.composite
def specs(draw):
    leiden = draw(st.booleans())
    graph = draw(st.sampled_from(["coactivation", "cosine"]))
    coactivation = graph == "coactivation"
    automatic = coactivation and not leiden and draw(st.booleans())
    return ClusteringSpec(
        graph=graph,
        method="leiden" if leiden else "components",
        threshold=Decimal(0) if automatic else draw(SHARES),
        cosine_cap=draw(st.none() | SHARES) if coactivation else None,
        objective=draw(st.sampled_from(OBJECTIVES)) if leiden else None,
        weight=draw(st.sampled_from(WEIGHTS)) if leiden and coactivation else None,
        resolution=draw(RESOLUTIONS) if leiden else None,
        seed=draw(SEEDS) if leiden else None,
        matched=draw(st.booleans()) if coactivation else False,
        automatic=automatic,
    )


@settings(deadline=None, max_examples=300)
@given(spec=specs())
def test_a_name_says_everything(spec):
    assert parse_spec(spec.name) == spec
    assert parse_spec(spec.name).name == spec.name
    if spec.graph == "coactivation":
        assert spec.counterpart.reference == spec.reference


@settings(deadline=None, max_examples=300)
@given(name=st.text() | st.text(alphabet="comptsleidnj_r0.128phicov٣٥²", max_size=40))
def test_any_text_is_a_name_or_a_config_error(name):
    try:
        assert parse_spec(name).name == name
    except ConfigError as error:
        assert "\n" not in str(error)


@settings(deadline=None, max_examples=300)
@given(name=st.text() | specs().map(lambda s: s.name), cut=st.integers(0, 40), extra=st.text(max_size=5))
def test_the_suggestion_is_always_legal(name, cut, extra):
    damaged = name[:cut] + extra + name[cut + 1 :]
    assert parse_spec(suggest(damaged)).name == suggest(damaged)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("components_j0.2", "components_j0.20"),
        ("components_j.25", "components_j0.25"),
        ("components_j20", "components_j0.20"),
        ("component_j0.20", "components_j0.20"),
        ("Components_J0.20", "components_j0.20"),
        ("components_j0.200", "components_j0.20"),
        ("components_j1.50", "components_j1.00"),
        ("components_j0.20_cos0.8", "components_j0.20_cos0.80"),
        ("components_j0.20_r0.050_s0", "components_j0.20"),
        ("leiden_cpm_phi_j0.05_r0.05_s0", "leiden_cpm_phi_j0.05_r0.050_s0"),
        ("leiden_cpm_phi_j0.05", "leiden_cpm_phi_j0.05_r0.050_s0"),
        ("leiden_cpm_phi_j0.05_r00.050_s07", "leiden_cpm_phi_j0.05_r0.050_s7"),
        ("lieden_modularity_overlap_j0.05_r1_s3", "leiden_modularity_overlap_j0.05_r1.000_s3"),
        ("cosine_matched_components_j0.2", "cosine_matched_components_j0.20"),
        ("cosine_components_0.5", "cosine_components_c0.50"),
        ("components_Jauto", "components_jauto"),
        ("components_jauto_cos0.8", "components_jauto_cos0.80"),
        ("leiden_cpm_phi_jauto_r0.050_s0", "leiden_cpm_phi_j0.20_r0.050_s0"),
        ("cosine_leiden_cpm_c0.3_r0.05_s1", "cosine_leiden_cpm_c0.30_r0.050_s1"),
    ],
)
def test_wrong_names_are_told_the_nearest(wrong, meant):
    with pytest.raises(ConfigError, match=f'nearest legal name: "{meant}"') as caught:
        parse_spec(wrong)
    assert "the grammar is components_j{0.20|auto}" in str(caught.value)


def test_a_long_wrong_name_does_not_fill_the_screen():
    with pytest.raises(ConfigError) as caught:
        parse_spec("x" * 10_000)
    assert len(str(caught.value)) < 600


def test_braces_expand_in_order_without_repeats():
    assert expand_names(["components_j{0.10,0.20}_cos0.{80,90}", "components_j0.10_cos0.80"]) == [
        "components_j0.10_cos0.80",
        "components_j0.10_cos0.90",
        "components_j0.20_cos0.80",
        "components_j0.20_cos0.90",
    ]


def test_what_needs_cosines():
    assert not parse_spec("components_j0.20").needs_cosine
    assert parse_spec("components_j0.20_cos0.80").needs_cosine
    assert not parse_spec("components_j0.20_cos0.80").from_cosine
    assert parse_spec("cosine_matched_components_j0.20").from_cosine
    assert parse_spec("cosine_components_c0.50").from_cosine
