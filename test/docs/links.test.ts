/**
 * What the documentation points at is there: links, pictures, anchors, and every path of this project that it names.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMarkdown } from './markdown_links.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const read = (page: string) => readMarkdown(readFileSync(join(ROOT, page), 'utf8'));

describe.each(PAGES)('%s', (page) => {
  const markdown = read(page);

  it('links to files that exist', () => {
    const missing = markdown.links.filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it('links to headings that exist', () => {
    const missing = markdown.anchors.filter(({ file, anchor }) => {
      const target = file === '' ? page : normalize(join(dirname(page), file));
      return target.endsWith('.md') && !read(target).headings.includes(anchor);
    });
    expect(missing).toEqual([]);
  });

  it('names paths that exist', () => {
    expect(markdown.paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe('readMarkdown', () => {
  it('reads links, anchors, paths and headings, not code', () => {
    const text = [
      '# The `path` of the media',
      '[a](docs/x.md#top "title") ![b](y.png) [web](https://example.com/a.md) [c](#here)',
      '`script/server --demo`, `local/main.ts`, `HW_BIND`, `a/b`',
      '```sh',
      '[not](a-link.md) `script/nothing`',
      '```',
    ].join('\n');
    expect(readMarkdown(text)).toEqual({
      links: ['docs/x.md', 'y.png'],
      anchors: [
        { file: 'docs/x.md', anchor: 'top' },
        { file: '', anchor: 'here' },
      ],
      paths: ['script/server', 'local/main.ts'],
      headings: ['the-path-of-the-media'],
    });
  });
});
