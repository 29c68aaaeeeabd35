import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html } from './html_text.ts';

describe('html', () => {
  it('escapes every value and keeps its own pieces', () => {
    const piece = html`<b>${'<&>'}</b>`;
    expect(html`<p title="${`"'`}">${piece}${undefined}${[piece, piece]}${3}</p>`.text).toBe(
      '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b><b>&lt;&amp;&gt;</b><b>&lt;&amp;&gt;</b>3</p>',
    );
  });

  it('lets no text out of its place', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(html`${text}`.text).not.toMatch(/[<>"']/);
      }),
    );
  });
});
