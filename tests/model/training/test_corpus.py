import pytest

from model.training import corpus, tokenizer


@pytest.mark.parametrize("length", [10, 60_000, 3_000_000])
def test_held_out_text_is_the_untrained_rest(length):
    text = "".join(chr(0x4E00 + index % 2000) for index in range(length))
    domain = corpus.split("x", text)
    assert domain.training + domain.held_out == text
    assert len(domain.held_out) == min(max(length // 20, 50_000), length // 2)


def test_domains_are_named_after_their_files(corpus_folder):
    domains = corpus.read(corpus_folder, standard_library=False)
    assert [domain.name for domain in domains] == ["english", "中文"]


def test_folder_without_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \.txt file"):
        corpus.read(tmp_path)


def test_standard_library_is_the_same_text_every_time():
    text = corpus.standard_library_text()
    assert text == corpus.standard_library_text()
    assert "def " in text


def test_nothing_held_out_reaches_the_trained_stream(corpus_folder):
    domains = corpus.read(corpus_folder, standard_library=False)
    words = tokenizer.learn(domains, vocabulary=300)
    for domain in domains:
        documents = domain.training_documents()
        trained = words.decode(list(tokenizer.encode(words, documents)), skip_special_tokens=True)
        assert trained == "".join(documents)
        assert domain.held_out[:200] not in trained


def test_tokenizer_keeps_every_byte_and_splits_digits(corpus_folder):
    words = tokenizer.learn(corpus.read(corpus_folder, standard_library=False), vocabulary=300)
    text = "é 漢 🦉 \x00\t 345"
    encoding = words.encode(text)
    assert words.decode(encoding.ids) == text
    assert encoding.ids[0] == 0
    assert encoding.tokens[-3:] == ["3", "4", "5"]
