import { describe, expect, it } from "vitest";
import { timeTicks, valueTicks } from "../src/components/chart";
import { defaultExploreState, exploreLink, QUERIES_MAX, readExploreState, writeExploreState, type ExploreState } from "../src/lib/explore-state";
import { distinctLabels, gridOf, stack, summarize } from "../src/lib/matrix";
import { parseLocation } from "../src/lib/router";
import { alignedRange } from "../src/views/explore/run";
import { labelNames } from "../src/views/explore/table";

describe("the address is the state", () => {
  const states: ExploreState[] = [
    defaultExploreState(),
    { ...defaultExploreState(), queries: [{ expr: "up", hidden: false }] },
    {
      queries: [{ expr: 'rate(a{b="c&d+e %"}[5m])', hidden: true }, { expr: "", hidden: false }, { expr: "日本語{}", hidden: false }],
      tab: "table", rangeSeconds: 5400, endMs: 1_767_225_600_000, stepSeconds: 15, refreshSeconds: 10, stacked: true,
    },
  ];
  it.each(states.map((state) => [state]))("round trip %#", (state) => {
    expect(readExploreState(writeExploreState(state))).toEqual(state);
  });
  it("the default needs no address", () => expect(writeExploreState(defaultExploreState())).toBe(""));
  it("bad input falls back, and is bounded", () => {
    expect(readExploreState("?range=banana&end=never&step=-1&tab=pie&refresh=x&hide=a")).toEqual(defaultExploreState());
    expect(readExploreState("?range=1s").rangeSeconds).toBe(10);
    expect(readExploreState(`?${"q=up&".repeat(50)}`).queries.length).toBe(QUERIES_MAX);
    expect(readExploreState("?end=1767225600000").endMs).toBe(1_767_225_600_000);
  });
  it("links from elsewhere", () => expect(exploreLink("up")).toBe("/explore?q=up"));
  it("places", () => {
    expect(parseLocation("/", "").place).toBe("overview");
    expect(parseLocation("/ring/rules", "")).toMatchObject({ place: "ring", rest: ["rules"] });
    expect(parseLocation("/nowhere", "").place).toBeNull();
  });
});

describe("from matrix to columns", () => {
  it("leaves gaps where nothing is, and where nothing can be drawn", () => {
    const grid = gridOf([{ metric: {}, values: [[0, "1"], [20, "NaN"], [30, "4"]] }, { metric: {}, values: [[10, "+Inf"]] }], 0, 30, 10);
    expect(grid.times).toEqual([0, 10, 20, 30]);
    expect(grid.columns).toEqual([[1, null, null, 4], [null, null, null, null]]);
    expect(grid.undrawable).toEqual([true, true]);
  });
  it("bears fractional steps and samples off the grid", () => {
    const grid = gridOf([{ metric: {}, values: [[100.3, "1"], [100.6, "2"], [999, "3"]] }], 100, 100.9, 0.3);
    expect(grid.columns[0]).toEqual([null, 1, 2, null]);
  });
  it("draws a native histogram by its mean", () => {
    const histogram = { count: "4", sum: "10" };
    expect(gridOf([{ metric: {}, histograms: [[0, histogram], [1, { count: "0", sum: "0" }]] }], 0, 1, 1).columns[0]).toEqual([2.5, null]);
  });
  it("stacks over gaps", () => {
    expect(stack([[1, null, 3], [10, 20, null], [100, 100, 100]])).toEqual([[1, null, 3], [11, 20, null], [111, 120, 103]]);
  });
  it("names only what tells series apart", () => {
    const metric = (cpu: string) => ({ metric: { __name__: "cpu", instance: "a", cpu } });
    expect(distinctLabels([metric("0"), metric("1")])).toEqual([{ __name__: "cpu", cpu: "0" }, { __name__: "cpu", cpu: "1" }]);
    expect(distinctLabels([metric("0")])).toEqual([metric("0").metric]);
    expect(distinctLabels([])).toEqual([]);
  });
  it("sums up", () => {
    expect(summarize([null, 2, 4, null])).toEqual({ last: 4, min: 2, max: 4, mean: 3 });
    expect(summarize([null])).toEqual({ last: null, min: null, max: null, mean: null });
  });
  it("aligns the range to the step", () => expect(alignedRange(1003, 100, 15)).toEqual({ start: 900, end: 990 }));
  it("shows the labels that differ first", () => {
    expect(labelNames([{ metric: { __name__: "up", job: "a", instance: "1" } }, { metric: { __name__: "up", job: "a", instance: "2" } }])).toEqual(["__name__", "instance", "job"]);
  });
});

describe("the time axis", () => {
  const noon = new Date(2026, 10, 23, 12, 0, 0).getTime() / 1000;
  it("shows seconds only when they matter, and a new day by its date", () => {
    expect(timeTicks([noon, noon + 60], 60, "en")).toEqual(["12:00", "12:01"]);
    expect(timeTicks([noon, noon + 10], 10, "en")[1]).toBe("12:00:10");
    const [first, second] = timeTicks([noon, noon + 43_200], 43_200, "en");
    expect(first).toBe("12:00");
    expect(second).toMatch(/^00:00\n/);
    expect(timeTicks([noon], 86_400, "ja")[0]).toBe("11/23");
  });
});

describe("the ticks of values", () => {
  it("have the decimals of their step", () => {
    expect(valueTicks([0.065, 0.0675, 0.07, 0.0725], 0.0025)).toEqual(["0.0650", "0.0675", "0.0700", "0.0725"]);
    expect(valueTicks([0, 5, 10], 5)).toEqual(["0", "5", "10"]);
    expect(valueTicks([0, 1000, 2000], 1000)).toEqual(["0", "1k", "2k"]);
    expect(valueTicks([0, 2e-9], 2e-9)).toEqual(["0", "2.0e-9"]);
  });
});
