import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContractError } from './contract_error.ts';
import { answersQuery, parsePlaylistQuery, playlistQueryKey } from './playlist_query.ts';

describe('parsePlaylistQuery', () => {
  it.each([
    ['', ''],
    ['token=abc&_HLS_msn=7', '?_HLS_msn=7'],
    ['_HLS_part=2&_HLS_msn=007&CMCD=x', '?_HLS_msn=7&_HLS_part=2'],
    ['_HLS_msn=7&_HLS_part=201', '?_HLS_msn=7'],
    ['_HLS_skip=v2&_HLS_msn=7', '?_HLS_msn=7&_HLS_skip=YES'],
    ['_HLS_skip=YES', '?_HLS_skip=YES'],
    ['_HLS_push=1&x=_HLS_msn', ''],
  ])('reads %s as %s', (query, key) => {
    expect(playlistQueryKey(parsePlaylistQuery(query))).toBe(key);
  });

  it.each([
    '_HLS_msn=',
    '_HLS_msn',
    '_HLS_msn=-1',
    '_HLS_msn=1e3',
    '_HLS_msn=0x10',
    '_HLS_msn=1.5',
    '_HLS_msn=NaN',
    '_HLS_msn=9999999999999999',
    '_HLS_msn=1&_HLS_msn=1',
    '_HLS_part=1',
    '_HLS_msn=1&_HLS_part=x',
    '_HLS_msn=%31',
    '_HLS_skip=NO',
    '_HLS_skip',
  ])('refuses %s', (query) => {
    expect(() => parsePlaylistQuery(query)).toThrow(ContractError);
  });

  it('reads back what it writes', () => {
    const number = fc.nat({ max: 2 ** 40 });
    const optional = fc.option(fc.nat({ max: 200 }), { nil: undefined });
    fc.assert(
      fc.property(number, optional, fc.boolean(), (msn, part, skip) => {
        const query = { msn, skip, ...(part === undefined ? {} : { part }) };
        expect(parsePlaylistQuery(playlistQueryKey(query).slice(1))).toEqual(query);
      }),
    );
  });
});

describe('answersQuery', () => {
  it.each([
    [{ skip: false }, { msn: 0, parts: 0 }, true],
    [{ msn: 7, skip: false }, { msn: 7, parts: 4 }, false],
    [{ msn: 7, skip: false }, { msn: 8, parts: 0 }, true],
    [{ msn: 7, part: 1, skip: false }, { msn: 7, parts: 1 }, false],
    [{ msn: 7, part: 1, skip: false }, { msn: 7, parts: 2 }, true],
    [{ msn: 7, part: 9, skip: false }, { msn: 8, parts: 0 }, true],
  ])('%j at %j: %s', (query, position, wanted) => {
    expect(answersQuery(query, position)).toBe(wanted);
  });
});
