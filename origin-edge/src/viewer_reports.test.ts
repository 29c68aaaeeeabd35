import { describe, expect, it } from 'vitest';
import { parseStreamId } from '../../contracts/ids.ts';
import { ViewerReports, readViewerReport } from './viewer_reports.ts';

const DEMO = parseStreamId('demo');

function startReports() {
  const seen: string[] = [];
  const timers: (() => void)[] = [];
  let nowMs = 0;
  const reports = new ViewerReports({
    measures: {
      startup: (id, s) => seen.push(`${id} startup ${s}`),
      buffer: (id, s) => seen.push(`${id} buffer ${s}`),
      rebuffer: (id) => seen.push(`${id} rebuffer`),
      latency: (id, s) => seen.push(`${id} latency ${s}`),
      forget: (id) => seen.push(`${id} forget`),
    },
    monotonicMs: () => nowMs,
    after: (_, action) => {
      timers.push(action);
      return () => undefined;
    },
  });
  return {
    reports,
    seen,
    timers,
    byHeader: (headers: Readonly<Record<string, string>>, id = DEMO) =>
      reports.take(id, readViewerReport({ get: (name) => headers[name] ?? null }, '/demo/live.m3u8') ?? 'none'),
    byQuery: (query: string) => reports.take(DEMO, readViewerReport({ get: () => null }, `/demo?${query}`) ?? 'none'),
    at: (ms: number) => (nowMs = ms),
    flush: () => {
      while (timers.length > 0) timers.shift()?.();
    },
  };
}

describe('ViewerReports', () => {
  it('reads headers, version 1', () => {
    const { byHeader, flush, seen } = startReports();
    byHeader({
      'cmcd-object': 'br=3000,ot=av',
      'cmcd-request': 'bl=2100,mtp=9000',
      'cmcd-status': 'bs',
      'cmcd-session': 'sid="a"',
    });
    expect(seen).toEqual([]);
    flush();
    expect(seen).toEqual(['demo buffer 2.1', 'demo rebuffer']);
  });

  it('reads the query, versions 1 and 2', () => {
    const { byQuery, flush, seen } = startReports();
    byQuery('_HLS_msn=1&CMCD=bl%3D1500%2Csid%3D%22b%22&x=1');
    byQuery('CMCD=bl%3D(1200)%2Cltc%3D1800%2Cmsd%3D740%2Csid%3D%22c%22%2Cv%3D2');
    flush();
    expect(seen).toEqual(['demo buffer 1.5', 'demo buffer 1.2', 'demo latency 1.8', 'demo startup 0.74']);
  });

  it('measures the start of a player of version 1 from its first request to the first while it plays, once', () => {
    const { byHeader, flush, seen, at } = startReports();
    at(1000);
    byHeader({ 'cmcd-session': 'sid="a"', 'cmcd-object': 'ot=m', 'cmcd-request': 'su' });
    at(1500);
    byHeader({ 'cmcd-session': 'sid="a"', 'cmcd-object': 'ot=av', 'cmcd-request': 'su' });
    byHeader({ 'cmcd-session': 'sid="a"', 'cmcd-object': 'ot=m' });
    at(2250);
    byHeader({ 'cmcd-session': 'sid="a"', 'cmcd-object': 'ot=av' });
    at(9000);
    byHeader({ 'cmcd-session': 'sid="a"', 'cmcd-object': 'ot=av' });
    byHeader({ 'cmcd-session': 'sid="late"', 'cmcd-object': 'ot=av' });
    flush();
    expect(seen).toEqual(['demo startup 1.25']);
  });

  it('passes over what is no number, too large or not readable', () => {
    const { byHeader, flush, seen, reports } = startReports();
    byHeader({ 'cmcd-request': 'bl=-5' });
    byHeader({ 'cmcd-request': 'bl=99999999999' });
    byHeader({ 'cmcd-request': 'bl="x"' });
    byHeader({ 'cmcd-request': '=;;%%' });
    byHeader({ 'cmcd-request': `bl=1,x="${'y'.repeat(5000)}"` });
    flush();
    expect(seen).toEqual([]);
    expect(reports.counters).toEqual({ received: 5, dropped: 1, malformed: expect.any(Number) });
  });

  it('decodes few at a time, and drops the least telling of too many', () => {
    const { byHeader, flush, seen, timers, reports } = startReports();
    for (let count = 0; count < 600; count += 1) byHeader({ 'cmcd-request': 'bl=1000' });
    for (let count = 0; count < 600; count += 1) byHeader({ 'cmcd-request': 'bl=1000', 'cmcd-status': 'bs' });
    timers.shift()?.();
    expect(seen).toHaveLength(40);
    flush();
    expect(reports.counters).toEqual({ received: 1200, dropped: 200, malformed: 0 });
    expect(seen.filter((each) => each.endsWith('rebuffer'))).toHaveLength(500);
  });

  it('forgets the streams that were not heard of for longest', () => {
    const { byHeader, flush, seen } = startReports();
    for (let index = 0; index < 502; index += 1) {
      byHeader({ 'cmcd-status': 'bs' }, parseStreamId(`s${index}`));
      flush();
    }
    expect(seen.filter((each) => each.endsWith('forget'))).toEqual(['s0 forget', 's1 forget']);
  });
});
