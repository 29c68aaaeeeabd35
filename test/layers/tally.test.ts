import { describe, expect, it } from 'vitest';
import { fileOf, judge, parseTally, secondTry } from './tally.ts';

const skipped = (why: string | undefined) => ({
  passed: 2,
  failed: [],
  skipped: [{ name: 'test/players.test.ts > obs publishes', why }],
});

describe('judge', () => {
  it('adds the layers up, and names what failed at the end', () => {
    const layers = [
      { passed: 1, failed: [{ name: 'a.test.ts > plays', why: 'got 1, wanted 2' }], skipped: [] },
      { passed: 20, failed: [{ name: 'unit', why: 'Vitest ended with 1' }], skipped: [] },
    ];
    expect(judge([...layers, skipped('no OBS')], { ci: false, full: false })).toEqual({
      passed: 23,
      failed: 2,
      notes: [
        'skipped: test/players.test.ts > obs publishes: no OBS',
        'failed: a.test.ts > plays: got 1, wanted 2',
        'failed: unit: Vitest ended with 1',
      ],
    });
  });

  it('lets a developer skip, and says why', () => {
    expect(judge([skipped('no redis-server')], { ci: false, full: false })).toEqual({
      passed: 2,
      failed: 0,
      notes: ['skipped: test/players.test.ts > obs publishes: no redis-server'],
    });
  });

  it('fails on a skipped test in CI', () => {
    expect(judge([skipped('no redis-server')], { ci: true, full: false }).failed).toBe(1);
    expect(judge([skipped(undefined)], { ci: true, full: false })).toEqual({
      passed: 2,
      failed: 1,
      notes: ['skipped (a failure in CI): test/players.test.ts > obs publishes: it does not say why'],
    });
  });

  it('lets CI leave out what only --full runs, counted by file, unless --full was asked for', () => {
    const full = skipped('needs script/test --full');
    expect(judge([full, full], { ci: true, full: false })).toEqual({
      passed: 4,
      failed: 0,
      notes: ['left to script/test --full: 2 in test/players.test.ts'],
    });
    expect(judge([full], { ci: true, full: true }).failed).toBe(1);
  });
});

describe('secondTry', () => {
  it('counts what failed twice, and names what passed then', () => {
    const kill = { name: 'test/fleet/kill.test.ts > a killed one', why: 'got 9000, wanted less than 8000' };
    const edge = { name: 'test/edge/edge.test.ts > on deno > plays', why: 'got 500, wanted 200' };
    const first = { passed: 7, failed: [kill, edge], skipped: [] };
    const tally = secondTry(first, { passed: 4, failed: [edge], skipped: [] });
    expect(tally).toEqual({ passed: 8, failed: [edge], skipped: [], unsteady: [kill] });
    expect(judge([tally], { ci: true, full: false })).toEqual({
      passed: 8,
      failed: 1,
      notes: [
        'passed at its second try: test/fleet/kill.test.ts > a killed one: got 9000, wanted less than 8000',
        'failed: test/edge/edge.test.ts > on deno > plays: got 500, wanted 200',
      ],
    });
  });
});

describe('fileOf', () => {
  it('is what a name begins with', () => {
    expect(fileOf('test/fleet/kill.test.ts > a > b')).toBe('test/fleet/kill.test.ts');
    expect(fileOf('test/fleet/kill.test.ts')).toBe('test/fleet/kill.test.ts');
    expect(fileOf('outside of all tests')).toBeUndefined();
    expect(fileOf('system')).toBeUndefined();
  });
});

describe('parseTally', () => {
  it('takes what the reporter writes and nothing else', () => {
    const tally = { passed: 1, failed: [], skipped: [] };
    expect(parseTally(JSON.stringify(tally))).toEqual(tally);
    expect(() => parseTally('null')).toThrow('wanted a tally');
    expect(() => parseTally('{"passed":1,"failed":0,"skipped":[]}')).toThrow('wanted a tally');
  });
});
