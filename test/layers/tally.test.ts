import { describe, expect, it } from 'vitest';
import { judge, parseTally } from './tally.ts';

const skipped = (why: string | undefined) => ({ passed: 2, failed: 0, skipped: [{ name: 'obs publishes', why }] });

describe('judge', () => {
  it('adds the layers up', () => {
    const layers = [
      { passed: 1, failed: 0, skipped: [] },
      { passed: 20, failed: 2, skipped: [] },
    ];
    expect(judge(layers, { ci: true, full: false })).toEqual({ passed: 21, failed: 2, notes: [] });
  });

  it('lets a developer skip, and says why', () => {
    expect(judge([skipped('no redis-server')], { ci: false, full: false })).toEqual({
      passed: 2,
      failed: 0,
      notes: ['skipped: obs publishes: no redis-server'],
    });
  });

  it('fails on a skipped test in CI', () => {
    expect(judge([skipped('no redis-server')], { ci: true, full: false }).failed).toBe(1);
    expect(judge([skipped(undefined)], { ci: true, full: false })).toEqual({
      passed: 2,
      failed: 1,
      notes: ['skipped (a failure in CI): obs publishes: it does not say why'],
    });
  });

  it('lets CI leave out what only --full runs, unless --full was asked for', () => {
    expect(judge([skipped('needs script/test --full')], { ci: true, full: false }).failed).toBe(0);
    expect(judge([skipped('needs script/test --full')], { ci: true, full: true }).failed).toBe(1);
  });
});

describe('parseTally', () => {
  it('takes what the reporter writes and nothing else', () => {
    const tally = { passed: 1, failed: 0, skipped: [] };
    expect(parseTally(JSON.stringify(tally))).toEqual(tally);
    expect(() => parseTally('null')).toThrow('wanted a tally');
    expect(() => parseTally('{"passed":1}')).toThrow('wanted a tally');
  });
});
