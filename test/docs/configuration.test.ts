/**
 * Holds docs/configuration.md to the code, both ways: each setting has a row with its default and description, each
 * row is a setting, and the code names no setting that the table of contracts/setting_table.ts does not have.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../contracts/setting_table.ts';
import type { SettingDefinition } from '../../contracts/settings.ts';

const ROOT = join(import.meta.dirname, '../..');
const settings: readonly SettingDefinition<unknown>[] = Object.values(SETTINGS);

interface Row {
  readonly name: string;
  readonly fallback: string;
  readonly doc: string;
}

const NOT_SET = 'not set';

/** Rows of all tables whose first cell is a setting's name in a code span. */
function documentedSettings(): readonly Row[] {
  const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
  return [...page.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \| (.*?) \| (.*?) \|$/gm)].map(([, name, fallback, doc]) => ({
    name: name ?? '',
    fallback: (fallback ?? '').replaceAll('`', ''),
    doc: doc ?? '',
  }));
}

function byName(a: Row, b: Row): number {
  return a.name.localeCompare(b.name);
}

function sourceFiles(): readonly string[] {
  return ['contracts', 'transcoder', 'functions', 'origin-edge', 'local'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`),
  );
}

describe('docs/configuration.md', () => {
  it('has one row for each setting, with its default and description', () => {
    const expected = settings.map(({ name, fallback, doc }) => ({
      name,
      fallback: fallback === '' ? NOT_SET : fallback,
      doc,
    }));
    expect(documentedSettings().toSorted(byName)).toEqual(expected.toSorted(byName));
  });

  it('says which settings are secret', () => {
    const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
    const list = /^Secrets, [^:]*: (.*)$/m.exec(page)?.[1] ?? '';
    const named = [...list.matchAll(/`([A-Z_]+)`/g)].map((match) => match[1]);
    const secret = settings.filter((setting) => setting.secret === true).map(({ name }) => name);
    expect(new Set(named)).toEqual(new Set(secret));
  });
});

describe('the sources', () => {
  it('name only settings that exist', () => {
    const known = new Set(settings.map(({ name }) => name));
    const unknown = sourceFiles().flatMap((file) =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bHW_[A-Z0-9]+(?:_[A-Z0-9]+)*\b/g)]
        .map(([name]) => name)
        .filter((name) => !known.has(name) && !/^HW_(?:TEST|BENCH)\b/.test(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('read settings of our own only through the table', () => {
    const direct = sourceFiles().filter((file) =>
      /process\.env(?:\.HW_|\[['"`]HW_)|Deno\.env\.get\(['"`]HW_/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(direct).toEqual([]);
  });
});
