/**
 * Renders docs/map.md: every source file, and the first sentence of the comment at its top, by folder.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['contracts', 'storage', 'transcoder', 'functions', 'origin-edge', 'local'] as const;
const INTRODUCTION = `# The map

What each source file is, in the words at its top. Written by \`npm run map\`; a test holds it to the files. For how they work together, see [architecture.md](architecture.md).
`;

/** Paths of all source files below `root`, without tests, with forward slashes, in order. */
export function listSourceFiles(root: string): readonly string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((path) => /\.(?:ts|js)$/.test(path) && !path.endsWith('.test.ts') && !path.endsWith('/placeholder.ts')),
  ).toSorted();
}

/** First sentence of the comment that `source` begins with; undefined when there is none. */
export function firstSentence(source: string): string | undefined {
  const comment = /^(?:#![^\n]*\n)?\s*\/\*\*?([\s\S]*?)\*\//.exec(source)?.[1];
  const text = comment
    ?.split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join(' ')
    .trim();
  if (text === undefined || text === '') return undefined;
  return text.split(/(?<=\.)\s+(?=[A-Z`])/)[0];
}

/** @throws Error naming the files that do not say what they are */
export function renderSourceMap(root: string): string {
  const entries = listSourceFiles(root).map((path) => ({
    path,
    what: firstSentence(readFileSync(join(root, path), 'utf8')),
  }));
  const silent = entries.filter(({ what }) => what === undefined).map(({ path }) => path);
  if (silent.length > 0) throw new Error(`no comment at the top says what it is: ${silent.join(', ')}`);
  const folders = Map.groupBy(entries, ({ path }) => path.slice(0, path.lastIndexOf('/')));
  const sections = [...folders].map(([folder, files]) => {
    const rows = files.map(
      ({ path, what }) => `| [${path.slice(folder.length + 1)}](../${path}) | ${(what ?? '').replaceAll('|', '\\|')} |`,
    );
    return [`## ${folder}`, '', '| file | what |', '|---|---|', ...rows, ''].join('\n');
  });
  return [INTRODUCTION, ...sections].join('\n');
}
