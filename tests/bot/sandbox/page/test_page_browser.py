import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser


async def test_a_command_is_typed_completed_run_and_its_result_shown(open_page, research, proceed):
    page = await open_page()
    box = page.locator("#composer-input")
    await box.click()
    await page.keyboard.type("/back")
    await expect(page.get_by_role("option", name="/backtest")).to_contain_text("Test a strategy")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("option")).to_have_count(3)
    await page.keyboard.type("m")
    await expect(page.get_by_role("option")).to_have_text(["ma_crossover", "mean_reversion"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-strategy")).to_have_value("ma_crossover")
    await page.keyboard.type("days:30")
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Message from Jesse")
    await expect(answer).to_contain_text("Running ma_crossover: 50 % of 30 days")
    await expect(answer).to_contain_text("Operator used /backtest")
    proceed.set()
    await expect(answer).to_contain_text("Done: ma_crossover, 30 days, None, False")
    image = answer.get_by_role("img", name="Backtest of ma_crossover")
    await page.wait_for_function(
        "image => image.naturalWidth > 0", arg=await image.element_handle()
    )
    assert await image.evaluate("image => image.naturalWidth") == 640
    await expect(answer.get_by_role("group", name="File trades.csv")).to_contain_text("11 bytes")
