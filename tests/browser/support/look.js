// Pictures of a page for people, where `SCREENSHOTS` names a folder; no test looks at them.

import { mkdir } from 'node:fs/promises';

/**
 * Keeps a page's picture, light and dark, and as narrow as a phone.
 * @param {'chromium' | 'firefox-esr'} kind
 * @param {string} name
 */
export async function look(tab, kind, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  for (const [what, width] of [['light', 1280], ['dark', 1280], ['phone', 360]]) {
    const value = what === 'dark' ? 'dark' : 'light';
    if (kind === 'chromium') await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
    await tab.setViewport({ width, height: 780 });
    await tab.screenshot({ path: `${folder}/${kind}-${name}-${what}.png`, fullPage: true });
  }
}
