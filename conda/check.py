"""Whether the recipe can be rendered for each platform: `python conda/check.py`, with py-rattler-build."""

from pathlib import Path

from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")

recipe = Stage0Recipe.from_file(Path(__file__).with_name("recipe.yaml"))
for platform in PLATFORMS:
    config = RenderConfig(platform=PlatformConfig(target_platform=platform, build_platform=platform))
    variants = VariantConfig({"python": ["3.11.* *_cpython", "3.15.* *_cp315"], "c_stdlib": ["sysroot"]})
    for one in recipe.render(variants, config):
        package = one.recipe.to_dict()
        needs = package["requirements"]
        print(platform, package["package"], "build:", needs["build"], "run:", needs["run"])
