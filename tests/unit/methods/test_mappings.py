import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from papertables.base.errors import UserError
from papertables.methods import mappings
from papertables.methods.mapping_heads import LastLayer, LearnedMapping, MappingHead
from papertables.methods.sources import LinearSource, PromptSource

LABELS, CLASSES, WIDTH = 9, 5, 6
DRAWN = settings(deadline=None, max_examples=60)


@st.composite
def counts(draw, square: bool = False, high: int = 4):
    """(S, C), S ≥ C, small numbers, so that ties are the rule."""
    classes = draw(st.integers(1, 6))
    labels = classes if square else draw(st.integers(classes, 9))
    entries = st.lists(st.integers(0, high), min_size=labels * classes, max_size=labels * classes)
    return torch.tensor(draw(entries), dtype=torch.float).view(labels, classes)


def samples(seed: int, number: int = 40):
    """Logits (N, S) and labels (N,)."""
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(number, LABELS, generator=stream), torch.randint(CLASSES, (number,), generator=stream)


def search(matrix: torch.Tensor) -> list[int]:
    """The definition of the greedy mapping."""
    matrix, sequence = matrix.clone(), [0] * matrix.shape[1]
    for _ in sequence:
        source, target = divmod(int(matrix.argmax()), matrix.shape[1])
        sequence[target] = source
        matrix[source] = -1
        matrix[:, target] = -1
    return sequence


@pytest.mark.slow
@DRAWN
@given(counts())
def test_one_to_one_is_the_greedy_search(matrix):
    before = matrix.clone()
    sequence = mappings.one_to_one(matrix)
    assert sequence.tolist() == search(matrix)
    assert len(set(sequence.tolist())) == matrix.shape[1]
    assert (matrix == before).all()


@pytest.mark.slow
@DRAWN
@given(counts(), st.floats(0, 10))
def test_columns_of_bayesian_weights_are_distributions(matrix, lam):
    weights = mappings.bayesian(matrix, lam)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(0), torch.ones(matrix.shape[1]))


@pytest.mark.slow
@DRAWN
@given(counts(), st.floats(0, 10), st.randoms(use_true_random=False))
def test_permuted_classes_permute_bayesian_columns(matrix, lam, random):
    order = random.sample(range(matrix.shape[1]), matrix.shape[1])
    torch.testing.assert_close(mappings.bayesian(matrix[:, order], lam), mappings.bayesian(matrix, lam)[:, order])


@pytest.mark.slow
@DRAWN
@given(counts(), st.randoms(use_true_random=False))
def test_permuted_classes_permute_a_one_to_one_mapping_without_ties(matrix, random):
    labels, classes = matrix.shape
    distinct = torch.tensor(random.sample(range(1, matrix.numel() + 1), matrix.numel())).view(labels, classes)
    order = random.sample(range(classes), classes)
    assert (mappings.one_to_one(distinct[:, order]) == mappings.one_to_one(distinct)[order]).all()


@DRAWN
@given(counts(), st.floats(0, 10), st.integers(0, 9))
def test_a_source_label_never_predicted_changes_only_its_own_bayesian_row(matrix, lam, row):
    """Where every class has samples: a class without them is spread over all source labels."""
    matrix[0] += 1
    row = min(row, len(matrix))
    more = torch.cat([matrix[:row], torch.zeros(1, matrix.shape[1]), matrix[row:]])
    weights = mappings.bayesian(more, lam)
    assert (weights[row] == 0).all()
    torch.testing.assert_close(torch.cat([weights[:row], weights[row + 1 :]]), mappings.bayesian(matrix, lam))


@pytest.mark.slow
@DRAWN
@given(counts())
def test_a_last_source_label_never_predicted_changes_no_one_to_one_mapping(matrix):
    """Anywhere else it may: zero counts go to the lowest source labels left."""
    more = torch.cat([matrix, torch.zeros(1, matrix.shape[1])])
    assert (mappings.one_to_one(more) == mappings.one_to_one(matrix)).all()


@pytest.mark.slow
@DRAWN
@given(st.integers(0, 1000), st.integers(1, LABELS), st.integers(1, 40))
def test_statistics_do_not_depend_on_batches(seed, k, size):
    logits, labels = samples(seed)
    parts = list(zip(logits.split(size), labels.split(size), strict=True))
    frequency, sums = torch.zeros(2, LABELS, CLASSES)
    for part in parts:
        mappings.add_frequency(frequency, *part)
        mappings.add_topk(sums, *part, k)
    hits = torch.nn.functional.one_hot(logits.argmax(1), LABELS).float()
    of_class = torch.nn.functional.one_hot(labels, CLASSES).float()
    assert (frequency == hits.T @ of_class).all()
    probabilities = logits.softmax(1)
    kept = probabilities.where(probabilities >= probabilities.sort(1).values[:, -k, None], 0)
    torch.testing.assert_close(sums, kept.T @ of_class)


def test_equal_logits_count_for_the_first():
    found = mappings.add_frequency(torch.zeros(3, 1), torch.tensor([[1.0, 2.0, 2.0]]), torch.tensor([0]))
    assert found.flatten().tolist() == [0, 1, 0]


def test_half_precision_logits_are_summed_in_single_precision():
    logits, labels = samples(0)
    half = mappings.add_topk(torch.zeros(LABELS, CLASSES), logits.half(), labels, 2)
    whole = mappings.add_topk(torch.zeros(LABELS, CLASSES), logits.half().float(), labels, 2)
    assert half.dtype == torch.float and (half == whole).all()


def test_fewer_than_seven_classes_still_have_a_top_one():
    assert [mappings.topk_size(classes, 0.15) for classes in (1, 6, 7, 13, 14, 100)] == [1, 1, 1, 1, 2, 15]


def test_a_class_without_samples_has_the_mean_source_logit():
    matrix = torch.tensor([[2.0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 3]])
    weights = mappings.bayesian(matrix, 1)
    logits = torch.randn(7, 4)
    torch.testing.assert_close(logits @ weights[:, 1], logits.mean(1))
    torch.testing.assert_close((logits + 5) @ weights, logits @ weights + 5)
    torch.testing.assert_close(weights[:, [0, 2]], mappings.bayesian(matrix[:, [0, 2]], 1))


def test_without_bayes_a_class_weighs_source_labels_by_its_own_share():
    matrix = torch.tensor([[2.0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 3]])
    shares = mappings.shares(matrix)
    torch.testing.assert_close(shares[:, 0], torch.tensor([2 / 3, 1 / 3, 0, 0]))
    torch.testing.assert_close(shares[:, 1], torch.full((4,), 0.25))
    torch.testing.assert_close(mappings.bayesian(matrix, 1)[:, 0], torch.tensor([0.5, 0.5, 0, 0]))


def test_a_ratio_above_one_sums_all_probabilities():
    logits, labels = samples(0)
    everything = mappings.add_topk(torch.zeros(LABELS, CLASSES), logits, labels, mappings.topk_size(CLASSES, 1000))
    torch.testing.assert_close(everything.sum(0), torch.bincount(labels, minlength=CLASSES).float())


def test_random_mappings_are_distinct_labels_of_their_seed():
    first, again, other = (mappings.random_mapping(1000, 100, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert len(set(first.tolist())) == 100 and first.min() >= 0 and first.max() < 1000


@pytest.mark.parametrize(
    "make", [lambda: mappings.random_mapping(3, 4, 0), lambda: mappings.one_to_one(torch.ones(3, 4))]
)
def test_more_classes_than_source_labels(make):
    with pytest.raises(UserError, match="4 classes and 3 source labels"):
        make()


def linear_source() -> LinearSource:
    stream = torch.Generator().manual_seed(3)
    return LinearSource(torch.randn(LABELS, WIDTH, generator=stream), torch.randn(LABELS, generator=stream))


def prompt_source() -> PromptSource:
    prompts = torch.randn(LABELS, WIDTH, generator=torch.Generator().manual_seed(3))
    return PromptSource(torch.tensor(2.0), torch.nn.functional.normalize(prompts, dim=-1))


SOURCES = pytest.mark.parametrize("source", [linear_source(), prompt_source()], ids=["linear", "prompts"])


@SOURCES
def test_chosen_source_logits_are_those_of_all(source):
    features, chosen = torch.randn(4, WIDTH), torch.tensor([7, 0, 3])
    torch.testing.assert_close(source(features, chosen), source(features)[:, chosen])
    assert not list(source.parameters())


def observed(head: MappingHead) -> MappingHead:
    stream = torch.Generator().manual_seed(8)
    for _ in range(3):
        head.observe(torch.randn(20, WIDTH, generator=stream), torch.randint(CLASSES, (20,), generator=stream))
    return head


@SOURCES
@pytest.mark.parametrize("rule", ["random", "one_to_one", "bayesian", "bayesian_topk"])
def test_heads_map_source_logits(source, rule):
    head = observed(MappingHead(source, CLASSES, rule, "epoch", seed=2, ratio=0.5))
    statistics = head.statistics.clone()
    head.remap()
    assert (head.statistics == 0).all()
    features = torch.randn(4, WIDTH)
    if rule.startswith("bayesian"):
        expected = source(features) @ mappings.bayesian(statistics, 1.0)
        assert head.k == 2
    elif rule == "one_to_one":
        expected = source(features)[:, mappings.one_to_one(statistics)]
    else:
        expected = source(features)[:, mappings.random_mapping(LABELS, CLASSES, 2)]
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize(
    ("rule", "refresh", "due", "observes"),
    [
        ("random", "once", [False, False, False], False),
        ("random", "fast", [False, False, False], False),
        ("one_to_one", "once", [True, False, False], False),
        ("bayesian", "epoch", [True, True, True], False),
        ("bayesian_topk", "fast", [True, False, False], True),
    ],
)
def test_when_a_mapping_is_made(rule, refresh, due, observes):
    head = MappingHead(linear_source(), CLASSES, rule, refresh, seed=0)
    assert [head.due(epoch) for epoch in (1, 2, 3)] == due
    assert head.observes == observes


@pytest.mark.parametrize("rule", ["one_to_one", "bayesian", "bayesian_topk"])
def test_a_fast_mapping_survives_a_checkpoint_in_the_middle(rule):
    def head():
        return MappingHead(linear_source(), CLASSES, rule, "fast", seed=0)

    straight = observed(head())
    straight.remap()
    observed(straight)
    resumed = head()
    resumed.load_state_dict(straight.state_dict())
    for one in (straight, resumed):
        one.observe(torch.ones(1, WIDTH), torch.tensor([1]))
        one.remap()
    features = torch.randn(4, WIDTH)
    assert (straight(features) == resumed(features)).all()


def test_a_kept_learner_holds_its_mapping_and_nothing_frozen():
    head = MappingHead(linear_source(), CLASSES, "one_to_one", "epoch", seed=0)
    assert set(head.state_dict()) == {"sequence"}
    assert not list(head.parameters())
    assert set(LearnedMapping(linear_source(), CLASSES, "plain", 0).state_dict()) == {"weight"}


@pytest.mark.parametrize("rule", ["one_to_one", "bayesian"])
def test_gradients_reach_the_features_and_observing_leaves_none(rule):
    head = observed(MappingHead(linear_source(), CLASSES, rule, "epoch", seed=0))
    head.remap()
    features = torch.randn(4, WIDTH, requires_grad=True)
    head.observe(features, torch.zeros(4, dtype=torch.long))
    assert not head.statistics.requires_grad
    head(features).sum().backward()
    assert features.grad.abs().sum() > 0


def test_summaries_name_the_heaviest_source_labels():
    head = observed(MappingHead(linear_source(), CLASSES, "bayesian", "epoch", seed=0))
    head.remap()
    labels, weights = head.summary(3)
    assert labels.shape == weights.shape == (CLASSES, 3)
    for number in range(CLASSES):
        assert (weights[number] == head.matrix[:, number].sort(descending=True).values[:3]).all()
        assert (head.matrix[labels[number], number] == weights[number]).all()
    assert head.summary(100)[0].shape == (CLASSES, LABELS)
    single = MappingHead(linear_source(), CLASSES, "random", "once", seed=0)
    labels, weights = single.summary(3)
    assert (labels[:, 0] == single.sequence).all() and (weights == 1).all()


def test_rules_and_moments_that_do_not_exist():
    with pytest.raises(UserError, match="best"):
        MappingHead(linear_source(), CLASSES, "best", "epoch", seed=0)
    with pytest.raises(UserError, match="daily"):
        MappingHead(linear_source(), CLASSES, "bayesian", "daily", seed=0)
    with pytest.raises(UserError, match="softmax"):
        LearnedMapping(linear_source(), CLASSES, "softmax", seed=0)
    with pytest.raises(UserError, match="10 classes and 9 source labels"):
        MappingHead(linear_source(), LABELS + 1, "one_to_one", "epoch", seed=0)
    MappingHead(linear_source(), LABELS + 1, "bayesian", "epoch", seed=0)


@pytest.mark.parametrize("mode", ["plain", "sigmoid"])
def test_a_learned_mapping_is_linear_in_the_source_logits(mode):
    source = linear_source()
    head = LearnedMapping(source, CLASSES, mode, seed=0)
    features = torch.randn(4, WIDTH)
    weight = head.weight.detach().sigmoid() if mode == "sigmoid" else head.weight.detach()
    torch.testing.assert_close(head(features).detach(), source(features) @ weight.T)
    assert [tuple(parameter.shape) for parameter in head.parameters()] == [(CLASSES, LABELS)]


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: LearnedMapping(linear_source(), CLASSES, "plain", seed),
        lambda seed: LastLayer(WIDTH, CLASSES, seed),
    ],
)
def test_trained_layers_are_drawn_from_their_seed_alone(make):
    before = torch.get_rng_state()
    features = torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(1))
    first, again, other = (make(seed)(features) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert first.shape == (4, CLASSES)
    assert (torch.get_rng_state() == before).all()
