package ir

import "testing"

// TestVerifyCollectives: collectives are held against the shardings that they claim, over the mesh
// (x:2, y:2).
func TestVerifyCollectives(t *testing.T) {
	for _, r := range Rows() {
		if (r.Class == Collective) != (r.Lies != nil) {
			t.Errorf("row %s: how do its results lie?", r.Name)
		}
	}
	for _, c := range []meshCase{
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:8] = all_gather %a dim=0 over=x", ""},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:8] = all_gather %a dim=0 over=y", "joins blocks of f32[b:4]{b@x} along b over [y], and b is cut along [x]"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:8]{b@x} = all_gather %a dim=0 over=x", "gives f32[b:4], not f32[b:8]{b@x}"},
		{"", "%a: f32[b:4]{b@(x, y)}", "%y: f32[b:8]{b@x} = all_gather %a dim=0 over=y", ""},
		{"", "%a: f32[b:4]{b@(x, y)}", "%y: f32[b:8]{b@y} = all_gather %a dim=0 over=x", "joins blocks"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:8] = all_gather %a dim=0 over=x", "joins blocks"},
		{"", "%a: f32[b:4]{b@x, +y}", "%y: f32[b:8] = all_gather %a dim=0 over=x", "not f32[b:8]"},
		{"", "%a: f32[b:4]{?x}", "%y: f32[b:8] = all_gather %a dim=0 over=x", ""},
		{"", "%a: f32[b:4]{b@x, ?y}", "%y: f32[b:8] = all_gather %a dim=0 over=x", "of what varies along [y]"},
		{"", "%a: f32[b:4]{b@x, ?y}", "%y: f32[b:8]{?y} = all_gather %a dim=0 over=x", ""},

		{"", "%a: f32[b:4]{+x}", "%y: f32[b:2]{b@x} = reduce_scatter %a dim=0 over=x", ""},
		{"", "%a: f32[b:4]", "%y: f32[b:2]{b@x} = reduce_scatter %a dim=0 over=x", "sums f32[b:4] over [x], which it is no sum over"},
		{"", "%a: f32[b:4]{+y}", "%y: f32[b:2]{b@x, +y} = reduce_scatter %a dim=0 over=x", "it is no sum over"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:2] = reduce_scatter %a dim=0 over=x", "gives f32[b:4]{b@x}, not f32[b:2]"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:2]{+x} = reduce_scatter %a dim=0 over=x", "not f32[b:2]{+x}"},

		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4] = all_reduce %a over=x kind=sum", ""},
		{"", "%a: f32[b:4]{+x, +y}", "%y: f32[b:4]{+y} = all_reduce %a over=x kind=sum", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = all_reduce %a over=x kind=sum", "not f32[b:4]{+x}"},
		{"", "%a: f32[b:4]", "%y: f32[b:4] = all_reduce %a over=x kind=sum", "no sum over"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = all_reduce %a over=x kind=sum", "no sum over"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4] = all_reduce %a over=x kind=max", "along which it does not vary"},
		{"", "%a: f32[b:4]{?x}", "%y: f32[b:4] = all_reduce %a over=x kind=max", ""},
		{"", "%a: f32[b:4]{?x, +y}", "%y: f32[b:4] = all_reduce %a over=x kind=max", "not f32[b:4]"},

		{"", "%a: f32[b:4, w:4]{b@x}", "%y: f32[b:8, w:2]{w@x} = all_to_all %a dim=0 to=1 over=x", ""},
		{"", "%a: f32[b:4, w:4]", "%y: f32[b:8, w:2]{w@x} = all_to_all %a dim=0 to=1 over=x", "joins blocks"},
		{"", "%a: f32[b:4, w:4]{b@x}", "%y: f32[b:8, w:2] = all_to_all %a dim=0 to=1 over=x", "not f32[b:8, w:2]"},
		{"", "%a: f32[b:4, w:4]{b@x, w@y}", "%y: f32[b:8, w:2]{w@(x, y)} = all_to_all %a dim=0 to=1 over=x", "not f32[b:8, w:2]{w@(x, y)}"},

		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = permute %a over=x step=1", ""},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4] = permute %a over=x step=1", "not f32[b:4]"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{?x} = permute %a over=x step=1", ""},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = permute %a over=y step=1", "along which all devices have it"},

		{"", "%a: f32[b:4]", "%y: f32[b:2]{b@x} = block %a dim=0 over=x step=0", ""},
		{"", "%a: f32[b:4]", "%y: f32[b:2] = block %a dim=0 over=x step=0", "gives f32[b:4]{b@x}, not f32[b:2]"},
		{"", "%a: f32[b:4]", "%y: f32[b:2]{b@x} = block %a dim=0 over=x step=1", "gives f32[b:4]{?x}, not f32[b:2]{b@x}"},
		{"", "%a: f32[b:4]", "%y: f32[b:2]{?x} = block %a dim=0 over=x step=1", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:2]{b@x} = block %a dim=0 over=x step=0", "what it has itself of a sum over [x]"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:2]{b@x} = block %a dim=0 over=x step=0", "once more"},
		{"", "%a: f32[b:4], %c: f32[b:2]", "%y: f32[b:4]{?x} = put %a, %c dim=0 over=x step=0", ""},
		{"", "%a: f32[b:4], %c: f32[b:2]", "%y: f32[b:4] = put %a, %c dim=0 over=x step=0", "gives f32[b:4]{?x}, not f32[b:4]"},
		{"", "%a: f32[b:4], %c: f32[b:4]", "%y: f32[b:4]{?x} = put %a, %c dim=0 over=x step=0", "gives no f32[b:4]"},
		{"", "%a: f32[b:4]", "%y: i32[]{?x} = axis_index over=x", ""},
		{"", "%a: f32[b:4]", "%y: i32[] = axis_index over=x", "gives i32[]{?x}, not i32[]"},

		{"", "%a: f32[b:4/7]{b@x}", "%y: f32[b:8/7] = all_gather %a dim=0 over=x", ""},
		{"", "%a: f32[b:4/7]{b@x}", "%y: f32[b:8] = all_gather %a dim=0 over=x", "7 places of b become 8"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:8/7] = all_gather %a dim=0 over=x", "8 places of b become 7"},
	} {
		c.phase = "partitioned"
		c.check(t)
	}
}

// TestVerifyParts: what an op makes of summands is its row's to say.
func TestVerifyParts(t *testing.T) {
	for _, c := range []meshCase{
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = add %a, 1", "mixes f32[b:4]{+x} and 1, which each device would add"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = sub 1, %a", "which each device would add"},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = add %a, 0", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = mul %a, 3", ""},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4]{+x} = mul %c, %a", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:4]{+x} = mul %a, %a", "a product of sums over [x]"},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]{+y}", "%y: f32[b:4]{+x, +y} = mul %a, %c", ""},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]{b@x}", "%y: f32[b:4]{+x} = mul %a, %c", "factor a is cut along [] and along [x]"},
		{"", "%a: f32[b:4]{+x}, %c: f32[w:4]{w@x}", "%y: f32[b:4, w:4]{w@x} = dot %a, %c [b,w->bw]", "reads parts over x, which cuts the factor w"},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4]{+x} = div %a, %c", "reads parts of a sum"},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4]{+x} = max %a, 0", "reads parts of a sum"},
		{"", "%a: f32[b:4, w:2]{+x}", "%y: f32[b:4]{+x} = reduce %a [bw->b] kind=max", "reads parts of a sum"},
		{"", "%a: f32[b:4, w:2]{+x}", "%y: f32[b:4]{+x} = reduce %a [bw->b] kind=tree", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[b:6]{+x} = pad %a dim=0 lo=1 hi=1", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[o:2, k:2]{+x} = window %a dim=0 size=2 stride=2 lo=0 hi=0", ""},
		{"", "%a: f32[b:4]{+x}", "%y: f32[o:2, k:2]{+x} = window %a dim=0 size=2 stride=2 lo=0 hi=0 fill=lowest", "reads parts of a sum"},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:8]{+x} = concat %a, %c dim=0", "mixes"},
		{"", "%a: f32[b:4]", "%y: f32[b:4]{+x} = broadcast 0 [->b]", ""},
		{"", "%a: f32[b:4]", "%y: f32[b:4]{+x} = broadcast 1 [->b]", "is no sum over [x]"},
		{"", "%a: f32[b:4]{+x, ?y}", "%y: f32[b:4]{+x, ?y} = tanh %a", "reads parts of a sum"},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4]{+x}, %z: f32[b:4] = fence %a, %c why=w", ""},
		{"", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4] = fence %a why=w", "makes f32[b:4] of f32[b:4]{+x}"},
		{"", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4] = fence %a why=w", "makes f32[b:4] of f32[b:4]{b@x}"},
	} {
		for _, c.phase = range []string{"differentiated", "partitioned"} {
			c.check(t)
		}
	}
}

// TestVerifyPlaces: ops whose rules say how a dim may be cut, on all devices and on one.
func TestVerifyPlaces(t *testing.T) {
	for _, c := range []meshCase{
		{"differentiated", "%a: f32[b:4]", "%y: i32[b:4]{b@x} = iota dim=0", ""},
		{"partitioned", "%a: f32[b:4]", "%y: i32[b:4]{b@x} = iota dim=0", "counts positions along a, cut along [x]"},
		{"partitioned", "%a: f32[b:4]", "%y: i32[b:4, w:2]{b@x} = iota dim=1", ""},
		{"differentiated", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = roll %a dim=0 by=1", ""},
		{"partitioned", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = roll %a dim=0 by=1", "counts positions"},
		{"differentiated", "%a: u32[k:2]", "%y: u32[b:4]{b@x} = rng_bits %a, 0 strides=(1)", ""},
		{"partitioned", "%a: u32[k:2]", "%y: u32[b:4]{b@x} = rng_bits %a, 0 strides=(1)", "counts positions"},
		{"partitioned", "%a: u32[k:2], %c: u32[]{?x}", "%y: u32[b:4]{b@x} = rng_bits %a, 0, %c strides=(1)", ""},
		{"differentiated", "%a: f32[v:4]{v@x}, %c: i32[b:4]", "%y: f32[b:4]{+x} = gather %a, %c [v,b->b]", ""},
		{"partitioned", "%a: f32[v:4]{v@x}, %c: i32[b:4]", "%y: f32[b:4]{+x} = gather %a, %c [v,b->b]", "counts positions along v"},
		{"partitioned", "%a: f32[v:4]{v@x}, %c: i32[b:4]{?x}", "%y: f32[b:4]{+x} = gather %a, %c [v,b->b]", ""},
		{"partitioned", "%a: f32[v:4], %c: i32[v:4]", "%y: f32[b:4]{b@x} = scatter_add %c, %a [v,v->b]", "counts positions along b"},
		{"differentiated", "%a: f32[b:4, w:4]{w@x}", "%y: f32[b:4] = reduce %a [bw->b] kind=max", ""},
		{"partitioned", "%a: f32[b:4, w:4]{w@x}", "%y: f32[b:4] = reduce %a [bw->b] kind=max", "takes the max of what each device has along [x]"},
		{"partitioned", "%a: f32[b:4, w:4]{w@x}", "%y: f32[b:4]{?x} = reduce %a [bw->b] kind=max", ""},
		{"partitioned", "%a: f32[b:4, w:4]{w@x}", "%y: i32[b:4] = argmax %a dim=1", "which must be whole"},

		{"partitioned", "%a: f32[s:8]{s@x}", "%y: f32[a:4, b:2]{a@x} = rearrange %a [(ab)->ab]", ""},
		{"partitioned", "%a: f32[s:8]{s@x}", "%y: f32[a:4, b:2]{b@x} = rearrange %a [(ab)->ab]", "cut along its factor b, inside of others"},
		{"partitioned", "%a: f32[s:8]{s@x}", "%y: f32[a:4, b:2] = rearrange %a [(ab)->ab]", "which is not how its factors are"},
		{"partitioned", "%a: f32[s:2]{s@(x, y)}", "%y: f32[a:1, b:2]{a@x, b@y} = rearrange %a [(ab)->ab]", ""},
		{"partitioned", "%a: f32[s:2]{s@(y, x)}", "%y: f32[a:1, b:2]{a@x, b@y} = rearrange %a [(ab)->ab]", "which is not how its factors are"},
		{"partitioned", "%a: f32[s:8/15]{s@x}", "%y: f32[a:4, b:2]{a@x} = rearrange %a [(ab)->ab]", "has padding, and several factors"},
		{"differentiated", "%a: f32[s:6]{s@x}", "%y: f32[a:3, b:2]{a@x} = rearrange %a [(ab)->ab]", "[x] do not divide its factor a of 3"},
		{"differentiated", "%a: f32[s:4]{s@(x, y)}", "%y: f32[a:2, b:2]{a@x, b@y} = rearrange %a [(ab)->ab]", ""},
		{"differentiated", "%a: f32[s:8]{s@(x, y)}", "%y: f32[a:4, b:2]{a@x, b@y} = rearrange %a [(ab)->ab]", "inside of others"},
		{"differentiated", "%a: f32[s:8, a:4]{s@x}", "%y: f32[b:2, a:4, c:4]{a@x} = rearrange %a [(ab)c->bac]", ""},
		{"differentiated", "%a: f32[b:4]{b@x}", "%y: f32[u:1, b:4]{u@x} = rearrange %a [b->()b]", "cut along [x] and along []"},
		{"differentiated", "%a: f32[b:4]", "%y: f32[u:1, b:4]{u@x} = rearrange %a [b->()b]", "which is not how"},
	} {
		c.check(t)
	}
}

// TestVerifyKernels: a kernel's values lie inside as they do around it.
func TestVerifyKernels(t *testing.T) {
	for _, c := range []meshCase{
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = fusion kind=loop in(%k=%a) {\n%n: f32[b:4]{b@x} = neg %k\nyield %n }", ""},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4] = fusion kind=loop in(%k=%a) {\n%n: f32[b:4]{b@x} = neg %k\nyield %n }", "yields f32[b:4]{b@x} as f32[b:4]"},
	} {
		c.phase = "partitioned"
		c.check(t)
	}
}
