import pytest
from playwright.async_api import expect

from bot.sandbox.permissions import Permission

pytestmark = pytest.mark.browser

PHONE = (390, 844)


def answer_of(page):
    return page.get_by_role("article", name="Message from Jesse").last


async def type_command(page, text):
    await page.locator("#composer-input").click()
    await page.keyboard.type(text)


async def show_result(page, proceed):
    """Run /backtest to its end and return its answer."""
    proceed.set()
    await type_command(page, "/backtest strategy:breakout")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Message from Jesse").first
    await expect(answer).to_contain_text("Done: breakout, 365 days")
    return answer


async def test_a_command_is_typed_completed_run_and_its_result_shown(
    open_page, research, proceed, sandbox
):
    page = await open_page()
    await type_command(page, "/back")
    await expect(page.get_by_role("option", name="/backtest")).to_contain_text("Test a strategy")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("option")).to_have_count(3)
    await page.keyboard.type("m")
    await expect(page.get_by_role("option")).to_have_text(["ma_crossover", "mean_reversion"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-strategy")).to_have_value("mean_reversion")
    await page.keyboard.type("days:30")
    await page.keyboard.press("Enter")
    answer = answer_of(page)
    await expect(answer).to_contain_text("Running mean_reversion: 50 % of 30 days")
    await expect(answer).to_contain_text("Operator used /backtest")

    proceed.set()
    await expect(answer).to_contain_text("Done: mean_reversion, 30 days, None, False (edited)")
    await expect(answer.locator(".embed-field").first).to_have_text("Return+42.31 %")
    # 2023-11-14 22:13:20 UTC, as a viewer in Tokyo reads it.
    await expect(answer.locator("time.stamp")).to_have_text("15 November 2023 at 07:13")
    await expect(answer.get_by_role("group", name="File trades.csv")).to_contain_text("11 bytes")
    image = await answer.get_by_role("img", name="Backtest of ma_crossover").element_handle()
    await page.wait_for_function("image => image.naturalWidth > 0", arg=image)
    assert await image.evaluate("image => image.naturalWidth") == 640
    # The view follows what grows at its end, but not once one has scrolled up.
    menu = answer.get_by_role("combobox", name="Timeframe")
    await expect(menu).to_be_in_viewport(ratio=1)
    await page.locator("#scroller").hover()
    await page.mouse.wheel(0, -400)
    await expect(menu).not_to_be_in_viewport()
    await sandbox.user("viewer").send("meanwhile")
    await page.get_by_role("button", name="New messages below").click()
    await expect(page.get_by_text("meanwhile")).to_be_in_viewport(ratio=1)


async def test_a_wrong_option_is_told_and_nothing_is_sent(open_page, research, sandbox):
    page = await open_page()
    error = page.get_by_role("alert").filter(visible=True)
    await type_command(page, "/backtest days: 99999")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("option")).to_have_count(3)
    await page.get_by_role("option", name="breakout").click()
    await page.get_by_role("button", name="Send").click()
    await expect(error).to_have_text("days: Enter a whole number, 1 to 3650.")
    await expect(page.get_by_label("days", exact=True).last).to_have_attribute(
        "aria-invalid", "true"
    )
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("1.5")
    await expect(error).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(error).to_have_text("days: Enter a whole number.")

    assert sandbox.channel("research").messages == []


async def test_a_missing_required_option_is_asked_for(open_page, research):
    page = await open_page()
    await type_command(page, "/forward start ")
    await page.keyboard.press("Enter")
    error = page.get_by_role("alert").filter(visible=True)
    await expect(error).to_contain_text("strategy: This option is required")
    await page.keyboard.type("ma_crossover")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("option").filter(visible=True)).to_contain_text(["@Jesse"])
    await page.keyboard.type("view")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(answer_of(page)).to_contain_text("Started ma_crossover for @Viewer")
    await expect(answer_of(page)).to_contain_text("Operator used /forward start")


async def test_optional_options_are_chosen_with_their_choices_and_taken_back(
    open_page, research, proceed
):
    page = await open_page()
    await type_command(page, "/backtest strategy:breakout")
    options = page.get_by_role("option")
    await expect(options).to_have_text(["breakout"])
    await page.keyboard.press("Enter")
    await expect(options).to_contain_text(["days", "fill", "fast"])
    await options.filter(has_text="fast").click()
    await expect(options).to_have_text(["True", "False"])
    await page.keyboard.press("Tab")
    await options.filter(has_text="fill").click()
    await expect(options).to_have_text(["Next open"])
    await page.keyboard.type("tomorrow")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "fill: Pick one of the choices."
    )
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.press("Backspace")
    await page.keyboard.press("Backspace")
    await expect(page.locator("#option-fill")).to_have_count(0)
    await page.locator("#composer-input").click()
    await page.keyboard.press("Enter")
    proceed.set()

    await expect(answer_of(page)).to_contain_text("Done: breakout, 365 days, None, True")


async def test_escape_closes_the_list_and_then_leaves_the_command(open_page, research):
    page = await open_page()
    # Without a click: who just types means the message box.
    await page.keyboard.type("/hang ")
    await expect(page.locator("#chip")).to_have_text("/hang")
    await page.keyboard.press("Escape")
    await expect(page.locator("#chip")).to_be_hidden()
    await page.keyboard.type("/unknown")
    await page.keyboard.press("Enter")

    error = page.get_by_role("alert").filter(visible=True)
    await expect(error).to_have_text("There is no command /unknown here.")


async def test_several_commands_are_under_way_and_one_fails(open_page, research, proceed, clock):
    page = await open_page()
    for command in ("/hang ", "/think "):
        await type_command(page, command)
        await page.keyboard.press("Enter")
    hanging = page.get_by_role("article", name="Command /hang")
    await expect(hanging).to_contain_text("Sending command…")
    await expect(answer_of(page)).to_contain_text("Jesse is thinking…")
    clock.advance(3)
    await expect(hanging).to_contain_text("The application did not respond")
    proceed.set()
    await expect(answer_of(page)).to_contain_text("Thought about it")
    await hanging.get_by_role("button", name="Dismiss message").click()

    await expect(hanging).to_have_count(0)


async def test_an_ephemeral_answer_is_seen_by_one_user_and_dismissed(open_page, research, proceed):
    page = await open_page()
    other = await open_page("viewer")
    answer = await show_result(page, proceed)
    await answer.get_by_role("button", name="Details").click()
    private = page.get_by_role("article").filter(has_text="Only for you: 42 trades")
    await expect(private).to_contain_text("Only you can see this")
    await page.locator("#composer-input").click()
    await page.keyboard.type("all see this")
    await page.keyboard.press("Enter")
    await expect(other.get_by_text("all see this")).to_be_visible()
    await expect(other.get_by_text("Only for you")).to_have_count(0)

    await page.get_by_role("radio", name="Viewer").check()
    await page.wait_for_selector("body[data-ready^=viewer]")
    await expect(page.get_by_text("all see this")).to_be_visible()
    await expect(private).to_have_count(0)
    await page.get_by_role("radio", name="Operator").check()
    await private.get_by_role("button", name="Dismiss message").click()
    await expect(private).to_have_count(0)
    await page.reload()
    await expect(page.get_by_text("all see this")).to_be_visible()
    await expect(private).to_have_count(0)


async def test_a_form_is_filled_checked_and_sent(open_page, research, proceed):
    page = await open_page()
    answer = await show_result(page, proceed)
    await answer.get_by_role("button", name="Add note").click()
    form = page.get_by_role("dialog", name="Add a note")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_contain_text("This field is required")
    await form.get_by_label("Note").fill("ab")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_contain_text("Must be 3 or more characters")
    await form.get_by_label("Note").fill("a **good** run")
    await form.get_by_label("Tag").fill("x1")
    await expect(form).to_contain_text("2 of 10 characters")
    await form.get_by_role("button", name="Submit").click()

    await expect(form).to_have_count(0)
    await expect(answer_of(page)).to_contain_text("Noted: a good run [x1]")


async def test_a_form_that_the_bot_does_not_take_stays_open(
    open_page, research, proceed, clock, monkeypatch
):
    page = await open_page()
    answer = await show_result(page, proceed)
    await answer.get_by_role("button", name="Add note").click()
    form = page.get_by_role("dialog", name="Add a note")
    await form.get_by_label("Note").fill("never taken")
    monkeypatch.setattr(research._connection, "parse_interaction_create", lambda data: None)
    monkeypatch.setitem(research._connection.parsers, "INTERACTION_CREATE", lambda data: None)
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("button", name="Submit")).to_be_disabled()
    clock.advance(3)

    await expect(form.get_by_role("alert")).to_contain_text("Something went wrong. Try again.")
    await expect(form.get_by_label("Note")).to_have_value("never taken")


async def test_a_menu_is_used_with_the_keyboard(open_page, research, proceed):
    page = await open_page()
    answer = await show_result(page, proceed)
    menu = answer.get_by_role("combobox", name="Timeframe")
    await menu.click()
    await expect(answer.get_by_role("option")).to_have_text(["1 hourSixty minutes", "4 hours"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")

    await expect(answer).to_contain_text("Timeframe: 4h")


async def test_a_button_shows_that_it_waits_and_that_it_failed(open_page, research, proceed, clock):
    page = await open_page()
    answer = await show_result(page, proceed)
    await answer.get_by_role("button", name="Silent").click()
    await expect(answer.locator("[data-control][aria-busy=true]")).to_have_count(1)
    await expect(answer.get_by_role("button", name="Frozen")).to_be_disabled()
    await expect(answer.get_by_role("link", name="Docs")).to_have_attribute(
        "href", "https://example.com/docs"
    )
    clock.advance(3)

    await expect(answer.get_by_role("alert")).to_have_text("This interaction failed")


async def test_pins_and_threads_are_listed_and_followed(open_page, research, sandbox):
    sandbox.allow_bot("research", Permission.PIN_MESSAGES)
    channel = research.get_channel(sandbox.channel_id)
    message = await channel.send("Live: **test-1**")
    page = await open_page()
    await page.get_by_role("button", name="Pinned messages").click()
    await expect(page.get_by_role("dialog", name="Pinned messages")).to_contain_text("no pinned")
    await message.pin()
    pinned = page.get_by_role("article", name="Pinned message from Jesse")
    await expect(pinned).to_contain_text("Live: test-1")
    await page.keyboard.press("Escape")
    thread = await message.create_thread(name="test-1 trades")
    await thread.send("first trade")
    await page.get_by_role("button", name="Threads").click()
    threads = page.get_by_role("dialog", name="Threads")
    await threads.get_by_role("button", name="test-1 trades").click()
    await expect(page.get_by_role("heading", name="test-1 trades")).to_be_visible()
    await expect(page.get_by_text("first trade")).to_be_visible()
    await thread.edit(archived=True)
    await expect(page.get_by_role("heading", name="test-1 trades (archived)")).to_be_visible()
    await page.get_by_role("button", name="research", exact=True).click()

    await expect(page.get_by_text("Live: test-1")).to_be_visible()


async def test_the_page_comes_back_after_an_outage(open_page, sandbox):
    page = await open_page()
    status = page.get_by_role("status").filter(visible=True)
    async with sandbox.outage():
        await expect(status).to_contain_text("The connection to the sandbox is lost")
        await page.locator("#composer-input").fill("too early")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(
            "The sandbox can't be reached"
        )
    await expect(status).to_have_count(0)
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("article")).to_contain_text("too early")


async def test_the_page_fits_a_phone(open_page, research, proceed):
    page = await open_page(size=PHONE)
    menu = page.get_by_role("button", name="Channels and users")
    await menu.click()
    await page.get_by_role("radio", name="Viewer").check()
    await page.wait_for_selector("body[data-ready^=viewer]")
    await expect(menu).to_have_attribute("aria-expanded", "false")
    answer = await show_result(page, proceed)
    image = await answer.get_by_role("img", name="Backtest of ma_crossover").element_handle()
    await page.wait_for_function("image => image.naturalWidth > 0", arg=image)
    await answer.get_by_role("button", name="Details").click()
    await expect(answer_of(page)).to_contain_text("Only for you: 42 trades")
    await expect(answer_of(page)).to_be_in_viewport()
    await type_command(page, "/forward start ")
    await expect(page.locator("#option-who")).to_be_in_viewport(ratio=1)

    assert await page.evaluate("() => document.documentElement.scrollWidth") == PHONE[0]
    box = await answer.locator(".embed").bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE[0]
