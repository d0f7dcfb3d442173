; One of everything the loader handles: constants, a table of addresses, variables with
; and without a starting value, and calls.
target triple = "x86_64-unknown-linux-gnu"

@table = constant [4 x i64] [i64 11, i64 12, i64 13, i64 14]
@places = internal constant [1 x ptr] [ptr @table]
@count = internal global i64 0
@hundred = global i64 100

define void @fill(ptr %args, i64 %lo, i64 %hi, ptr %scratch) nounwind {
entry:
  %buf = load ptr, ptr %args
  %table = load volatile ptr, ptr @places
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %n, %loop ]
  %j = and i64 %i, 3
  %p = getelementptr i64, ptr %table, i64 %j
  %v = load i64, ptr %p
  %w = call i64 @helper(i64 %v)
  %q = getelementptr i64, ptr %buf, i64 %i
  store i64 %w, ptr %q
  %n = add i64 %i, 1
  %c = icmp slt i64 %n, %hi
  br i1 %c, label %loop, label %done
done:
  ret void
}

define i64 @helper(i64 %v) noinline nounwind {
  %h = load i64, ptr @hundred
  %s = call i64 @shift(i64 %v)
  %t = add i64 %h, %s
  ret i64 %t
}

define internal i64 @shift(i64 %v) noinline nounwind {
  %m = mul i64 %v, 10
  %s = sub i64 %m, 98
  ret i64 %s
}

define void @counter(ptr %args, i64 %lo, i64 %hi, ptr %scratch) nounwind {
  %buf = load ptr, ptr %args
  %c = load i64, ptr @count
  %n = add i64 %c, 1
  store i64 %n, ptr @count
  store i64 %n, ptr %buf
  ret void
}
