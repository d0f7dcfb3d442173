declare ptr @memcpy(ptr, ptr, i64)
define void @copy(ptr %a, ptr %b, i64 %n) nounwind {
  %r = call ptr @memcpy(ptr %a, ptr %b, i64 %n)
  ret void
}
