// Takes steps from standard input, one JSON object a line, and answers each by one:
// what package vscode asks a browser for. It ends with its input.
import readline from 'node:readline'
const { chromium } = await import(process.argv[2])

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-breakpad', '--disable-crash-reporter'] // root's, and only this machine's pages
})
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })

const steps = {
  async open ({ url, timeout }) {
    await page.goto(url, { timeout })
    await page.waitForSelector('.view-line', { timeout })
  },
  // Before the extensions are there, neither F9 nor F5 does what it should.
  async breakpoint ({ timeout }) {
    const there = page.locator('.codicon-debug-breakpoint, .codicon-debug-breakpoint-unverified').first()
    for (const late = Date.now() + timeout; ;) {
      await page.keyboard.press('F9')
      try {
        return await there.waitFor({ timeout: 5000 })
      } catch (error) {
        if (Date.now() > late) throw error
      }
    }
  },
  press: ({ keys }) => page.keyboard.press(keys),
  type: ({ text }) => page.keyboard.type(text, { delay: 20 }),
  async wait ({ selector, text, timeout }) {
    const found = page.locator(selector, { hasText: text || undefined })
    await found.first().waitFor({ timeout })
    return found.allInnerTexts()
  },
  gone: ({ selector, timeout }) => page.locator(selector).first().waitFor({ state: 'hidden', timeout }),
  click: ({ selector, text, timeout }) => page.locator(selector, { hasText: text || undefined }).first().click({ timeout }),
  twice: ({ selector, text, timeout }) => page.locator(selector, { hasText: text || undefined }).first().dblclick({ timeout }),
  picture: ({ path }) => page.screenshot({ path })
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer = {}
  try {
    const step = JSON.parse(line)
    const texts = await steps[step.do](step)
    if (Array.isArray(texts)) answer = { texts }
  } catch (error) {
    answer = { error: String(error.message || error) }
  }
  console.log(JSON.stringify(answer))
}
await browser.close()
