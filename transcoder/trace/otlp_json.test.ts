import { expect, test } from 'vitest';
import { otlpTraceRequest } from './otlp_json.ts';

test('spans are written as OTLP asks for them', () => {
  const span = {
    name: 'claim',
    kind: 'client',
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    parentSpanId: 'eee19b7ec3c1b173',
    startMs: 1_795_381_640_254.5,
    endMs: 1_795_381_640_260,
    attributes: { text: 'x', whole: 1_795_381_640_254, part: 0.5, flag: true },
    error: 'NetStream.Publish.BadName',
  } as const;
  expect(JSON.parse(otlpTraceRequest([span], { 'service.name': 'headwater' }))).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'headwater' } }] },
        scopeSpans: [
          {
            scope: { name: 'headwater' },
            spans: [
              {
                traceId: '5b8efff798038103d269b633813fc60c',
                spanId: 'eee19b7ec3c1b174',
                parentSpanId: 'eee19b7ec3c1b173',
                name: 'claim',
                kind: 3,
                startTimeUnixNano: '1795381640254500000',
                endTimeUnixNano: '1795381640260000000',
                attributes: [
                  { key: 'text', value: { stringValue: 'x' } },
                  { key: 'whole', value: { intValue: '1795381640254' } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                  { key: 'flag', value: { boolValue: true } },
                ],
                status: { code: 2, message: 'NetStream.Publish.BadName' },
              },
            ],
          },
        ],
      },
    ],
  });
});
