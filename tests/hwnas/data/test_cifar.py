import numpy as np

from hwnas.data import load_dataset


def test_two_hundred_images(cifar):
    def load(limit):
        test = str(cifar / "test.parquet")
        return load_dataset(str(cifar / "train.parquet"), test_source=test, limit=limit)

    data = load(200)
    assert data.name == "cifar10"
    assert data.classes[:4] == ("airplane", "automobile", "bird", "cat")
    assert data.num_classes == 10
    assert data.train.images.shape == (160, 3, 32, 32)
    counts = [np.bincount(s.labels).tolist() for s in (data.train, data.validation, data.test)]
    assert counts == [[16] * 10, [4] * 10, [20] * 10]
    mean, std = data.mean_std
    np.testing.assert_allclose(mean, [0.491, 0.482, 0.447], atol=0.05)  # the published ones of all images
    np.testing.assert_allclose(std, [0.247, 0.243, 0.262], atol=0.05)
    assert load(200).digest == data.digest != load(210).digest
