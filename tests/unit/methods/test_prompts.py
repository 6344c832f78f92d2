"""Learned prompts: layouts, shared towers, other class names. Agreement with the released code: tests/parity."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from papertables.backbones import clip, mini
from papertables.backbones.prompts import TextPrompts, join_texts
from papertables.base.errors import UserError
from papertables.methods.inputs import MethodInputs
from papertables.methods.layout import ATTRIBUTE, layout, place
from papertables.methods.table import METHODS, build
from papertables.training import forward as passes

NAMES = ("red circle", "sea or lake", "playful dog")
OTHERS = ("green ring", "blue moon")
PROMPTED = ("coop", "cocoop", "maple", "dept")


@pytest.fixture(scope="module")
def tower():
    torch.manual_seed(0)
    return clip.FrozenClip(mini.build("mini-vit"))


def learner(tower, method: str, seed: int = 0, tokens: str = "all", start: str = "exact", **options):
    context = MethodInputs(
        image_size=tower.image_size,
        mean=tower.mean,
        std=tower.std,
        logit_scale=tower.logit_scale,
        seed=seed,
        text=tower.text,
        class_names=NAMES,
        embedding_width=tower.model.text_projection.shape[1],
        attribute_tokens=tokens,
        deep_start=start,
    )
    return build(method, METHODS[method].options | options, context)


def features(tower, count=4) -> torch.Tensor:
    return torch.randn(count, tower.model.text_projection.shape[1], generator=torch.Generator().manual_seed(1))


def texts(tower, made, names=NAMES, seen=None):
    (found,) = passes.text_features(tower, [made], [names], [seen])
    return found


def lay(tower, parts, names=NAMES, rule="all"):
    text = tower.text
    return place(parts, names, text.encode, text.start, text.end, text.length, rule)


@pytest.mark.slow
@given(st.permutations(range(3)), st.sampled_from(["end", "middle", "front"]))
@settings(max_examples=12, deadline=None)
def test_permuted_classes_have_permuted_features(tower, order, position):
    made = learner(tower, "coop", context=3, class_position=position)
    plain = texts(tower, made)
    permuted = texts(tower, made, tuple(NAMES[i] for i in order))
    torch.testing.assert_close(permuted, plain[list(order)])


@pytest.mark.parametrize("method", PROMPTED)
@pytest.mark.parametrize("attributes", [[], ["color", "shape"]])
def test_cut_prompts_are_whole_ones(tower, method, attributes):
    made = learner(tower, method, context=2, init="", attributes=attributes)
    prompts = made.prompts(NAMES, features(tower))
    length = tower.model.context_length
    room = torch.zeros(len(prompts), length - prompts.embeddings.shape[1], prompts.embeddings.shape[2])
    whole = replace(prompts, embeddings=torch.cat([prompts.embeddings, room], 1))
    torch.testing.assert_close(tower.encode_prompts(prompts), tower._encode_prompts(whole), rtol=1e-4, atol=1e-5)


BEGINNINGS = [  # method, options, how many of their tokens all prompts share, with the start token
    ("coop", {}, 3),
    ("coop", {"attributes": ["color", "shape"]}, 9),
    ("coop", {"class_position": "middle"}, 2),
    ("coop", {"class_position": "front"}, 1),
    ("coop", {"class_specific": True}, 1),
    ("cocoop", {"attributes": ["color"]}, 6),
    ("maple", {"attributes": ["color"]}, 6),
    ("maple", {"attributes": ["color"], "deep": "drop_all"}, 6),
    ("maple", {"context": 4, "attributes": ["color", "shape"], "attribute_context": [1, 1], "start": "assumed"}, 9),
]


@pytest.mark.parametrize(("method", "options", "shared"), BEGINNINGS)
def test_what_prompts_share_is_computed_once_and_changes_nothing(tower, method, options, shared):
    made = learner(tower, method, **({"context": 2, "init": ""} | options))
    prompts, seen = made.prompts(NAMES, features(tower)), features(tower)
    assert (prompts.family, prompts.shared) == (len(NAMES), shared)
    every = len(prompts) if prompts.deep else 0
    apart = replace(
        prompts,
        family=1,
        shared=1,
        deep=tuple(each.expand(every, -1, -1) for each in prompts.deep),
        at=prompts.at.expand(every, -1) if every else None,
    )
    weights = torch.randn(len(prompts), seen.shape[1], generator=torch.Generator().manual_seed(2))
    results = []
    for each in (prompts, apart):
        made.zero_grad()
        found = tower.encode_prompts(each)
        (found * weights).sum().backward(retain_graph=True)
        results.append([found, *(own.grad for own in made.parameters() if own.grad is not None)])
    for once, alone in zip(*results, strict=True):
        torch.testing.assert_close(once, alone, rtol=1e-3, atol=1e-4)


def test_learners_together_are_learners_alone(tower):
    made = [learner(tower, "coop", seed, context=n, attributes=own) for seed, n, own in ((1, 2, []), (2, 5, ["shape"]))]
    made += [learner(tower, method, 3) for method in ("maple", "cocoop", "dept")]
    images = [torch.rand(3, 3, tower.image_size, tower.image_size) for _ in made]
    seen = passes.image_features(tower, made, images)
    together = passes.text_features(tower, made, [NAMES] * len(made), seen)
    for own, image, feature, text in zip(made, images, seen, together, strict=True):
        (alone,) = passes.image_features(tower, [own], [image])
        torch.testing.assert_close(feature, alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(text, texts(tower, own, NAMES, alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("names", [NAMES[:1], NAMES])
def test_deep_tokens_of_learners_together_are_their_own(tower, names):
    made = [learner(tower, "maple", seed, context=2, init="", attributes=["color"]) for seed in (1, 2)]
    together = passes.text_features(tower, made, [names] * 2, [None] * 2)
    for own, found in zip(made, together, strict=True):
        torch.testing.assert_close(found, texts(tower, own, names), rtol=1e-4, atol=1e-5)


def test_prompts_of_many_images_go_through_in_chunks(tower, monkeypatch):
    made, seen = learner(tower, "cocoop"), features(tower, 5)
    whole = texts(tower, made, NAMES, seen)
    whole.sum().backward()
    gradient = made.prompting.context.grad.clone()
    monkeypatch.setattr(clip, "PROMPTS_PER_CALL", 4)
    made.zero_grad()
    parts = texts(tower, made, NAMES, seen)
    parts.sum().backward()
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.prompting.context.grad, gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", PROMPTED)
def test_any_names_have_logits(tower, method):
    made, seen = learner(tower, method), features(tower)
    for names in (NAMES, OTHERS):
        assert made.classify(seen, texts(tower, made, names, seen), names).shape == (4, len(names))


def test_dept_judges_other_classes_by_the_prompt_alone(tower):
    made, seen = learner(tower, "dept"), features(tower)
    other = texts(tower, made, OTHERS)
    torch.testing.assert_close(made.classify(seen, other, OTHERS), made.similarity(seen, other))
    own = texts(tower, made)
    assert not torch.allclose(made.classify(seen, own, NAMES), made.similarity(seen, own))


def test_a_word_of_several_tokens_keeps_its_pieces_when_repaired(tower):
    pieces = tower.text.encode("playfulness")
    assert len(pieces) == 2
    parts = layout(2, ["playfulness", "energy"])
    repaired, released = lay(tower, parts), lay(tower, parts, rule="first")
    assert repaired.tokens[0, 3:5].tolist() == pieces
    assert repaired.index[0, 3:5].tolist() == [ATTRIBUTE, ATTRIBUTE]
    assert repaired.at("context").tolist() != released.at("context").tolist()
    assert released.tokens[0].tolist() == repaired.tokens[0].tolist()  # what stands there, before it is overwritten
    kept = repaired.tokens[0][repaired.index[0] < 0].tolist()
    assert tower.text.encode("energy")[0] in kept
    assert tower.text.encode("energy")[0] not in released.tokens[0][released.index[0] < 0].tolist()


@pytest.mark.parametrize("anchors", ["interval", "front", "middle", "end", "separate"])
def test_every_layout_has_all_words_and_vectors_once(tower, anchors):
    placed = lay(tower, layout(2, ["color", "shape"], anchors=anchors))
    assert sorted(placed.index[0][placed.index[0] >= 0].tolist()) == list(range(6))
    assert (placed.index == ATTRIBUTE).sum(1).tolist() == [2, 2, 2]


@pytest.mark.parametrize("deep", ["keep", "drop_soft", "drop_all"])
def test_deep_tokens_replace_what_they_say(tower, deep):
    made = learner(tower, "maple", context=2, attributes=["color", "shape"], deep=deep, init="")
    prompts = made.prompts(NAMES)
    assert prompts.at.shape[1] == {"keep": 2, "drop_soft": 6, "drop_all": 8}[deep]
    texts(tower, made).sum().backward()
    learned = {name for name, parameter in made.deep_vectors[0].named_parameters() if parameter.grad.abs().sum() > 0}
    assert learned == ({"context"} if deep == "keep" else {"context", "attribute1", "attribute2"})


@pytest.mark.parametrize(("context", "counts"), [(4, [1, 1, 1]), (8, [1, 1]), (2, [1, 3])])
def test_deep_tokens_behind_the_end_change_nothing_before_it(tower, context, counts, monkeypatch):
    """With short contexts of attributes the assumed place of the class context may lie behind the whole prompt."""
    attributes = ["color", "shape", "size"][: len(counts)]
    made = learner(
        tower, "maple", context=context, attributes=attributes, attribute_context=counts, init="", start="assumed"
    )
    prompts = made.prompts(NAMES)
    room = torch.zeros(
        len(prompts), tower.model.context_length - prompts.embeddings.shape[1], prompts.embeddings.shape[2]
    )
    whole = replace(prompts, embeddings=torch.cat([prompts.embeddings, room], 1))
    expected = tower._encode_prompts(whole)
    torch.testing.assert_close(tower.encode_prompts(prompts), expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(clip, "PROMPTS_PER_CALL", 1)
    torch.testing.assert_close(tower.encode_prompts(prompts), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start", ["assumed", "exact"])
@pytest.mark.parametrize("deep", ["keep", "drop_soft", "drop_all"])
def test_depth_one_has_no_deep_tokens(tower, deep, start):
    made = learner(tower, "maple", depth=1, deep=deep, attributes=["color"], init="", start=start)
    assert made.prompts(NAMES).deep == ()
    assert made.image_prompts(2).deep == ()
    assert texts(tower, made).shape[0] == len(NAMES)


def test_words_start_the_context(tower):
    made = learner(tower, "coop", init="a photo of a", attributes=["shape"])
    words = tower.text.embed(torch.tensor(tower.text.encode("a photo of a")))
    torch.testing.assert_close(made.prompting.context, words)
    torch.testing.assert_close(made.prompting.attribute1, words)


@pytest.mark.parametrize(("context", "fixed"), [(1, "photo of wheelbarrow art"), (3, "wheelbarrow art"), (5, "art")])
def test_maple_keeps_whole_words_behind_its_context(tower, context, fixed):
    init = "a photo of wheelbarrow art"
    assert len(tower.text.encode("wheelbarrow")) > 1
    made = learner(tower, "maple", context=context, init=init)
    (tokens,) = lay(tower, made.prompting.layout, NAMES[:1]).tokens.tolist()
    behind = tower.text.encode(f"{fixed} {NAMES[0]}.")
    assert tokens[1 + context : -1] == behind


@pytest.mark.parametrize("method", PROMPTED)
def test_learners_train_after_a_first_look_without_gradients(tower, method):
    made = learner(tower, method, context=2, init="", attributes=["shape"])
    with torch.inference_mode():
        first = texts(tower, made, NAMES, features(tower))
    again = texts(tower, made, NAMES, features(tower))
    again.sum().backward()
    torch.testing.assert_close(again, first, rtol=1e-4, atol=1e-5)
    assert made.prompting.context.grad.abs().sum() > 0


def test_too_long_a_prompt_names_the_mend(tower):
    with pytest.raises(UserError, match="take fewer context tokens"):
        texts(tower, learner(tower, "coop", context=75))


def test_image_prompts_need_a_vit(tower):
    resnet = clip.FrozenClip(mini.build("mini-rn"))
    made = learner(tower, "maple")
    with pytest.raises(UserError, match="need a ViT"):
        passes.image_features(resnet, [made], [torch.rand(1, 3, 48, 48)])


@pytest.mark.parametrize(("worth", "calls"), [(0, 2), (1e9, 1)])
def test_prompts_that_share_more_go_through_alone_where_it_pays(tower, monkeypatch, worth, calls):
    made = [learner(tower, "coop", context=2, init="", attributes=own) for own in ([], ["color"])]
    expected, sizes, encode = [texts(tower, own) for own in made], [], tower.encode_prompts
    monkeypatch.setattr(passes, "A_CALL", worth)
    monkeypatch.setattr(tower, "encode_prompts", lambda prompts: sizes.append(prompts.shared) or encode(prompts))
    together = passes.text_features(tower, made, [NAMES] * 2, [None] * 2)
    assert sizes == [3, 6][:calls]
    for found, alone in zip(together, expected, strict=True):
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


def test_join_keeps_ends():
    parts = [TextPrompts(torch.zeros(2, n, 4), torch.tensor([n - 1, 1]), (n,), family=2) for n in (3, 5)]
    joined = join_texts(parts)
    assert joined.embeddings.shape == (4, 5, 4)
    assert joined.ends.tolist() == [2, 1, 4, 1] and joined.lengths == (3, 5)
