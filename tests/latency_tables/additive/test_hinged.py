import numpy as np

from latency_tables.additive.factors import Factors
from latency_tables.additive.hinged import Hinge, Hinged

LOAD = Factors((2, 3), {(0,): [0, 4], (1,): [0, 1, 2]})


def test_by_hand():
    bent = Hinged(Factors((2, 3), {(): 1.0, (0,): [0, 10]}), (Hinge(0.5, LOAD, 1.0), Hinge(-2.0, LOAD, 5.0)))
    archs = np.array([[0, 0], [0, 2], [1, 1], [1, 2]])  # loads 0, 2, 5, 6
    assert bent(archs).tolist() == [1, 1.5, 13, 11.5]
    assert bent.scaled(-2)(archs).tolist() == [-2, -3, -26, -23]
    assert Hinged(LOAD, ())(archs).tolist() == [0, 2, 5, 6]
