from registry.settings import RegistrySettings


def test_defaults_are_those_of_the_contract():
    settings = RegistrySettings()
    assert settings.lifetime_grace_s == 0
    assert settings.events_keep_s == 604_800
    assert (settings.group_window_s, settings.group_rows) == (0.02, 500)
    assert settings.max_pending > 4_000
