@t = thread_local global i64 1
define i64 @get() nounwind {
  %v = load i64, ptr @t
  ret i64 %v
}
