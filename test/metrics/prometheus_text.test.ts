import { describe, expect, test } from 'vitest';
import { parsePrometheusText } from './prometheus_text.ts';

describe("Prometheus' text format", () => {
  test('is read', () => {
    const text = [
      '# HELP a_total What it is.',
      '# TYPE a_total counter',
      'a_total{kind="x",text="a \\"b\\" \\\\ \\n"} 1e3',
      'a_total{kind="y"} 2 1700000000000',
      '',
      '# TYPE b_seconds histogram',
      'b_seconds_bucket{le="+Inf"} 1',
      'b_seconds_sum 0.5',
      'b_seconds_count 1',
      '',
    ].join('\n');
    expect(parsePrometheusText(text)).toMatchObject([
      { name: 'a_total', type: 'counter', help: 'What it is.', samples: [{ value: 1000 }, { value: 2 }] },
      { name: 'b_seconds', type: 'histogram', samples: [{}, { value: 0.5 }, {}] },
    ]);
  });

  test.each([
    ['no line feed at the end', '# TYPE a gauge\na 1'],
    ['a carriage return', '# TYPE a gauge\r\na 1\r\n'],
    ['no type', 'a 1\n'],
    ['a type twice', '# TYPE a gauge\n# TYPE a gauge\na 1\n'],
    ['a type behind a sample', '# HELP a x\n# TYPE a gauge\na 1\n# TYPE a gauge\n'],
    ['an unknown type', '# TYPE a number\na 1\n'],
    ['a name that is none', '# TYPE a-b gauge\na-b 1\n'],
    ['a value that is none', '# TYPE a gauge\na one\n'],
    ['no value', '# TYPE a gauge\na\n'],
    ['a label without quotes', '# TYPE a gauge\na{b=c} 1\n'],
    ['a label twice', '# TYPE a gauge\na{b="c",b="d"} 1\n'],
    ['a sample twice', '# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n'],
    ['a family in two places', '# TYPE a gauge\na{b="c"} 1\n# TYPE d gauge\nd 1\na{b="d"} 1\n'],
  ])('with %s is refused', (_name, text) => {
    expect(() => parsePrometheusText(text)).toThrow(Error);
  });
});
