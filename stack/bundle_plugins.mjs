/**
 * What esbuild leaves out of the functions' bundles, because a cold start reads every byte: 25 KB that ioredis brings and
 * the functions never use. serverless-esbuild loads this file (serverless.yml).
 */
import { readFile } from 'node:fs/promises';

/** ioredis asks `debug` for traces that nobody reads in Lambda. */
const silentDebug = {
  name: 'silent-debug',
  setup(build) {
    build.onResolve({ filter: /^debug$/ }, () => ({ path: 'debug', namespace: 'silent' }));
    build.onLoad({ filter: /.*/, namespace: 'silent' }, () => ({
      contents: 'export default () => Object.assign(() => {}, { enabled: false });',
    }));
  },
};

/**
 * ioredis finds the keys of a command in a table. Its subcommands matter only for keys in the likes of OBJECT ENCODING
 * and XGROUP CREATE; the registry runs scripts and plain commands.
 */
const withoutSubcommands = {
  name: 'without-subcommands',
  setup(build) {
    build.onLoad({ filter: /@ioredis[\\/]commands[\\/]built[\\/]commands\.json$/ }, async ({ path }) => {
      const commands = JSON.parse(await readFile(path, 'utf8'));
      for (const command of Object.values(commands)) delete command.subcommands;
      return { contents: JSON.stringify(commands), loader: 'json' };
    });
  },
};

export default [silentDebug, withoutSubcommands];
