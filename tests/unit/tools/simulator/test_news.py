from tools.simulator.news import News


def test_nothing_is_new_at_first():
    news = News(300)
    assert not news.is_update_wanted
    assert news.take() == (None, False)


def test_plain_update_tells_nothing_new():
    news = News(300)
    news.want_update()
    assert news.is_update_wanted
    assert news.take() == (None, False)
    assert not news.is_update_wanted


def test_what_is_new_is_told_once_and_the_lifetime_stays():
    news = News(300)
    news.want_update(60, has_new_objects=True)
    news.want_update()
    assert news.take() == (60, True)
    assert news.take() == (None, False)
    assert news.lifetime_s == 60
