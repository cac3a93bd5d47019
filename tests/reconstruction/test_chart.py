"""The skin unrolled onto a grid."""

import numpy as np

from reconstruction.chart import HEIGHT, WIDTH, make_chart


def test_the_chart_holds_the_face_and_no_more(template):
    chart = make_chart(template)
    places = chart.embedding(template.v_template).reshape(HEIGHT, WIDTH, 3)
    inside = chart.inside
    assert 0.4 < inside.mean() < 0.9
    # rows fall from the forehead, columns run to the subject's left
    assert (np.diff(places[:, WIDTH // 2, 1]) < 0).all()
    assert (np.diff(places[HEIGHT // 2, :, 0]) > -1e-6).mean() > 0.95
    marks = template.landmarks68(template.v_template)
    for name, ids, there in (("nose", [30], True), ("brows", range(18, 26), True), ("pupils", None, False)):
        points = marks[list(ids)] if ids else template.v_template[template.part("pupil")]
        apart = np.linalg.norm(places[inside][:, None] - points, axis=2).min(0)
        assert (apart < 0.002).all() == there, name
    skin = template.part("skin", "lid", "lips", "brow")
    assert skin[chart.embedding.triangles.reshape(HEIGHT, WIDTH, 3)[inside]].all()


def test_cells_are_near_one_another(template):
    chart = make_chart(template)
    places = chart.embedding(template.v_template).reshape(HEIGHT, WIDTH, 3)
    step = np.linalg.norm(np.diff(places, axis=0), axis=2)[chart.inside[1:] & chart.inside[:-1]]
    assert 0.001 < np.median(step) < 0.0015


def test_a_place_for_several_cells_lies_in_their_middle(template):
    fine, coarse = make_chart(template), make_chart(template, 4)
    assert coarse.inside.shape == (HEIGHT // 4, WIDTH // 4)
    places = fine.embedding(template.v_template).reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3)
    middle, whole = places.mean((1, 3)), fine.inside.reshape(HEIGHT // 4, 4, WIDTH // 4, 4).all((1, 3))
    apart = np.linalg.norm(coarse.embedding(template.v_template).reshape(middle.shape) - middle, axis=2)
    assert np.median(apart[whole]) < 0.0002
