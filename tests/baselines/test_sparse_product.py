"""Sparse times dense, beside torch's dense products."""

import numpy as np
import torch
from scipy.sparse import csr_matrix, random_array

from nervure.baselines.sparse_product import SparseProduct


def case(rows=7, columns=5, density=0.4):
    matrix = random_array((rows, columns), density=density, rng=np.random.default_rng(0))
    product = SparseProduct(csr_matrix(matrix)).double()
    # float32 keeps: compare with what is stored.
    dense = torch.zeros(rows, columns, dtype=torch.float64)
    dense[product.targets, product.sources] = product.values
    np.testing.assert_allclose(dense, matrix.toarray(), rtol=1e-6)
    return product, dense


def test_product_and_gradients_are_those_of_the_dense_matrix():
    product, dense = case()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(product(x), dense @ x)
    (found,) = torch.autograd.grad((product(x) * weight).sum(), x)
    torch.testing.assert_close(found, dense.T @ weight)


def test_entries_have_gradients_too():
    product, _ = case()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.randn(len(product.values), generator=generator, dtype=torch.float64)
    values.requires_grad_()
    dense = torch.zeros(7, 5, dtype=torch.float64)
    dense = dense.index_put((product.targets, product.sources), values)
    torch.testing.assert_close(product(x, values), dense @ x)
    assert torch.autograd.gradcheck(product, (x, values))


def test_gradients_of_many_entries_are_taken_in_parts(monkeypatch):
    monkeypatch.setattr("nervure.baselines.sparse_product._ENTRIES_AT_ONCE", 4)
    product, _ = case()
    assert len(product.values) > 8
    x = torch.ones(5, 3, dtype=torch.float64)
    values = product.values.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: product(x, v), (values,))


def test_a_pattern_may_have_empty_rows_and_columns_and_duplicates():
    matrix = csr_matrix(([1.0, 2.0, 3.0], ([1, 1, 3], [2, 2, 0])), shape=(5, 4))
    product = SparseProduct(matrix)
    x = torch.arange(8.0).reshape(4, 2).requires_grad_()
    dense = torch.from_numpy(matrix.toarray()).float()
    torch.testing.assert_close(product(x), dense @ x)
    (found,) = torch.autograd.grad(product(x).sum(), x)
    torch.testing.assert_close(found, dense.T @ torch.ones(5, 2))


def test_nothing_of_it_is_saved():
    product, _ = case()
    assert product.state_dict() == {}
