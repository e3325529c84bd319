// A small project of somebody who has installed the package: modules in a folder of their own, with the package, React
// and `ws` to import. It knows nothing of what they do.

import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { Program } from './program.js';

const PACKAGE = fileURLToPath(new URL('../../../bridge-ws/web/', import.meta.url));
const INSTALLED = fileURLToPath(new URL('../node_modules/', import.meta.url));

export class Project {
  #folder;

  /** @param {Record<string, string>} files Its modules by their names. */
  static async of(files) {
    const project = new Project();
    // Below what is installed, so that Node and bundlers find that as in any project.
    project.#folder = await mkdtemp(join(INSTALLED, '.project-'));
    const place = join(project.#folder, 'node_modules', 'callboard');
    await mkdir(place, { recursive: true });
    const packed = (await readdir(PACKAGE)).filter((name) => name.endsWith('.js') || name === 'package.json');
    await Promise.all(packed.map((name) => cp(join(PACKAGE, name), join(place, name))));
    await writeFile(join(project.#folder, 'package.json'), '{ "type": "module" }');
    await Promise.all(Object.entries(files).map(([name, code]) => writeFile(join(project.#folder, name), code)));
    return project;
  }

  /**
   * Starts a module in Node.
   * @param {string} name
   * @param {Record<string, string>} [env]
   */
  run(name, env) {
    return new Program([name], { binary: process.execPath, cwd: this.#folder, env });
  }

  /**
   * One script of a module and all that it imports.
   * @param {string} name
   * @param {'node' | 'browser'} platform
   */
  async bundle(name, platform) {
    const outfile = join(this.#folder, `bundled-${name}`);
    await build({
      entryPoints: [join(this.#folder, name)], outfile, platform, bundle: true, format: 'esm', jsx: 'automatic',
      loader: { '.js': 'jsx' }, packages: platform === 'node' ? 'external' : undefined, logLevel: 'error',
      // React says what it finds wrong only so.
      define: { 'process.env.NODE_ENV': '"development"' },
    });
    return readFile(outfile, 'utf8');
  }

  async end() {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
