"""scikit-learn's own estimator checks, on a PromptClassifier that reads rows of numbers as texts.

The checks are made for numbers; what they say of labels, parameters, cloning, pickling and repeated calls holds for texts too.
"""

from __future__ import annotations

import numpy as np
import pytest
from tiny import CHARACTERS

from prompt_kit import PromptClassifier

estimator_checks = pytest.importorskip("sklearn.utils.estimator_checks")
if not hasattr(estimator_checks, "estimator_checks_generator"):
    pytest.skip("scikit-learn 1.6 brought the generator of checks", allow_module_level=True)

NUMBERS = "of the numbers in X, which texts do not have"
ROUNDING = "float32 products in a batch of another make-up differ in the last bits: the last test here has a tolerance"
# by name, and why they do not apply to a classifier of texts
SKIPPED = {
    "check_complex_data": NUMBERS,
    "check_dtype_object": NUMBERS,
    "check_estimators_dtypes": NUMBERS,
    "check_estimators_empty_data_messages": NUMBERS,
    "check_estimators_nan_inf": NUMBERS,
    "check_estimator_sparse_tag": NUMBERS,
    "check_estimator_sparse_array": NUMBERS,
    "check_estimator_sparse_matrix": NUMBERS,
    "check_f_contiguous_array_estimator": NUMBERS,
    "check_array_api_input": NUMBERS,
    "check_classifier_data_not_an_array": NUMBERS,
    "check_fit2d_1feature": NUMBERS,
    "check_fit2d_predict1d": NUMBERS,
    "check_fit1d": NUMBERS,
    "check_n_features_in": NUMBERS,
    "check_n_features_in_after_fitting": NUMBERS,
    "check_estimators_partial_fit_n_features": NUMBERS,
    "check_readonly_memmap_input": NUMBERS,
    "check_estimators_pickle(readonly_memmap=True)": NUMBERS,
    "check_classifiers_train": "asks for an accuracy of 0.83 on blobs of numbers",
    "check_classifiers_regression_target": "numbers with fractions are labels like others here",
    "check_supervised_y_2d": "a column of shape [N, 1] is an error here, not a warning",
    "check_supervised_y_no_nan": "wants its own words, 'Input y contains NaN'; see tests/data/test_columns.py",
    "check_requires_y_none": "wants y=None to be told before X, which may be a folder here, is looked at",
    "check_fit2d_1sample": "one sample has one label, which is no choice: an error that says so, in our words",
    "check_classifiers_one_label": "one label is no choice: an error that says so, in our words",
    "check_classifiers_one_label_sample_weights": "one label is no choice, and there are no sample weights",
    "check_fit_score_takes_y": NUMBERS,
    "check_methods_subset_invariance": ROUNDING,
    "check_methods_sample_order_invariance": ROUNDING,
}
WANTED = {
    "check_estimator_cloneable", "check_estimator_repr", "check_no_attributes_set_in_init", "check_mixin_order",
    "check_estimators_overwrite_params", "check_dont_overwrite_parameters", "check_estimators_fit_returns_self",
    "check_do_not_raise_errors_in_init_or_set_params", "check_estimators_unfitted", "check_pipeline_consistency",
    "check_estimators_pickle", "check_classifiers_classes", "check_get_params_invariance", "check_set_params",
    "check_dict_unchanged", "check_fit_idempotent", "check_fit_check_is_fitted",
    "check_parameters_default_constructible", "check_estimator_tags_renamed",
    "check_positive_only_tag_during_fit", "check_decision_proba_consistency", "check_valid_tag_types",
    "check_non_transformer_estimators_n_iter",
}  # fmt: skip


class RowsAsTexts(PromptClassifier):
    """A PromptClassifier of rows of numbers: a character a number."""

    def fit(self, X, y=None):
        return super().fit(_texts(X), y)

    def predict_proba(self, X):
        return super().predict_proba(_texts(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = True, False, False
        return tags


def _texts(rows) -> list:
    scaled = np.abs(np.asarray(rows, dtype=float) * 7).astype(int) % len(CHARACTERS)
    return ["".join(CHARACTERS[place] for place in row) for row in scaled]


def _name(check) -> str:
    function = getattr(check, "func", check)
    options = ", ".join(f"{name}={value}" for name, value in getattr(check, "keywords", {}).items())
    return f"{function.__name__}({options})" if options else function.__name__


@pytest.fixture(scope="module")
def checks(tiny_folder):
    """{name: check} of all that scikit-learn has for this estimator, and the estimator."""
    estimator = RowsAsTexts(
        model_name_or_path=str(tiny_folder), device="cpu", max_seq_length=16, prompt="新闻", verbose=False,
        options={"soft_encoder": "none"},
    )  # fmt: skip
    found = estimator_checks.estimator_checks_generator(estimator, legacy=True)
    return {_name(check).replace("(estimator_orig", "(").strip(): (one, check) for one, check in found}


def test_what_is_wanted_is_there_and_what_is_skipped_has_a_reason(checks):
    run = {name.partition("(")[0] for name in checks if name not in SKIPPED}
    assert all(SKIPPED.values())
    assert len(WANTED & run) >= 15


@pytest.mark.parametrize("name", sorted(WANTED))
def test_check(checks, name):
    mine = [one for known, one in checks.items() if known.partition("(")[0] == name and known not in SKIPPED]
    if not mine:
        pytest.skip(f"this scikit-learn has no {name}")
    for estimator, check in mine:
        check(estimator)


def test_what_a_text_gets_does_not_hang_on_its_batch(checks):
    estimator = next(iter(checks.values()))[0]
    X = np.random.default_rng(0).uniform(0, 3, [20, 3])
    fitted = estimator.fit(X, X[:, 0].astype(int))
    together = fitted.predict_proba(X)
    np.testing.assert_allclose(
        np.concatenate([fitted.predict_proba(X[row : row + 1]) for row in range(20)]), together, atol=1e-5
    )
    np.testing.assert_allclose(fitted.predict_proba(X[::-1])[::-1], together, atol=1e-5)
