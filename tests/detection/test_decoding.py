import numpy as np

from kinepose.detection.decoding import agreed, distinct, without_parts

PERSON, SAME, HALF, OTHER = [0, 0, 10, 30], [0, 1, 10, 29], [1, 0, 9, 14], [8, 0, 18, 30]
CHILD = [1, 14, 9, 30]


def found(*boxes: list[float]) -> np.ndarray:
    """The surer, the earlier."""
    return np.array([[*box, 0.9 - 0.1 * number] for number, box in enumerate(boxes)])


def boxes_of(finds: np.ndarray) -> list[list[float]]:
    return finds[:, :4].tolist()


def test_of_two_finds_of_one_person_the_surer_one_is_kept() -> None:
    assert boxes_of(distinct(found(PERSON, SAME, HALF, OTHER))) == [PERSON, HALF, OTHER]
    assert boxes_of(distinct(found(SAME, PERSON)[::-1])) == [SAME]


def test_a_part_of_somebody_surer_is_nobody() -> None:
    assert boxes_of(without_parts(found(PERSON, HALF, OTHER))) == [PERSON, OTHER]
    assert boxes_of(without_parts(found(CHILD, PERSON))) == [CHILD, PERSON]
    assert without_parts(np.zeros((0, 5))).shape == (0, 5)


def test_somebody_with_legs_and_without_is_one() -> None:
    assert boxes_of(without_parts(found(HALF, OTHER, PERSON))) == [OTHER, PERSON]
    for score, kept in ((0.5, PERSON), (0.3, HALF)):
        finds = np.array([[*HALF, 0.9], [*PERSON, score]])
        assert boxes_of(without_parts(finds)) == [kept]


def test_views_agree_on_boxes_and_scores() -> None:
    """Two finds of one person, weighed 3 to 1; somebody whom one view of four sees."""
    first, second = np.array([[*PERSON, 0.6], [40, 0, 50, 30, 0.8]]), np.array([[*SAME, 0.2]])
    people = agreed([first, second, np.zeros((0, 5)), np.zeros((0, 5))])
    ranked = people[np.argsort(-people[:, 4], kind="stable")]
    np.testing.assert_allclose(ranked[0], [40, 0, 50, 30, 0.4])
    np.testing.assert_allclose(ranked[1], [0, 0.25, 10, 29.75, 0.4])
    assert agreed([np.zeros((0, 5))]).shape == (0, 5)
